/** One HTTP request to the server extension: JSON in, JSON or a readable error out. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { ErrorBody, Problem } from './types';

/** Seconds after which a request is given up, unless its caller says otherwise. */
const TIMEOUT_S = 30;

/** The folder below `base_url` that holds every route of this extension. */
export const ROOT = 'pipelines';

/** What went wrong with a request, in words for the user. */
export class RequestError extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 where no answer came. */
    readonly status: number,
    readonly code: string,
    /** What the user can do about it; may be empty. */
    readonly nextStep: string,
    readonly problems: Problem[] = []
  ) {
    super(message);
    this.name = 'RequestError';
  }
}

export interface IRequestOptions {
  method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Sent as JSON. */
  body?: unknown;
  /** Left out where undefined or null; an array repeats its name. */
  query?: Record<string, QueryValue>;
  signal?: AbortSignal;
  timeoutSeconds?: number;
}

type QueryValue =
  string | number | boolean | readonly string[] | null | undefined;

/** The address of a route; path segments are encoded, the server's prefix is kept. */
export function routeUrl(
  settings: ServerConnection.ISettings,
  path: readonly string[],
  query: Record<string, QueryValue> = {}
): string {
  const url = URLExt.join(
    settings.baseUrl,
    ROOT,
    ...path.map(encodeURIComponent)
  );
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null) {
      continue;
    }
    for (const one of Array.isArray(value) ? value : [value]) {
      search.append(name, String(one));
    }
  }
  const text = search.toString();
  return text ? `${url}?${text}` : url;
}

/** Sends a request. Rejects with RequestError, or with AbortError where `signal` aborted. */
export async function request<T>(
  settings: ServerConnection.ISettings,
  path: readonly string[],
  options: IRequestOptions = {}
): Promise<T> {
  const seconds = options.timeoutSeconds ?? TIMEOUT_S;
  const abort = new AbortController();
  const onAbort = () => abort.abort();
  options.signal?.addEventListener('abort', onAbort);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    abort.abort();
  }, seconds * 1000);
  try {
    if (options.signal?.aborted) {
      abort.abort();
    }
    const response = await ServerConnection.makeRequest(
      routeUrl(settings, path, options.query),
      {
        method: options.method ?? 'GET',
        body:
          options.body === undefined ? undefined : JSON.stringify(options.body),
        signal: abort.signal
      },
      settings
    );
    return await parse<T>(response);
  } catch (error) {
    throw explain(error, options.signal, late ? seconds : null);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

async function parse<T>(response: Response): Promise<T> {
  const text = await response.text();
  let data: unknown;
  try {
    data = text ? JSON.parse(text) : undefined;
  } catch {
    throw notOurs(response);
  }
  if (!response.ok) {
    throw failed(response, data);
  }
  return data as T;
}

function failed(response: Response, data: unknown): RequestError {
  const body = (data ?? {}) as Partial<ErrorBody>;
  if (typeof body.message !== 'string' || !body.message) {
    return notOurs(response);
  }
  return new RequestError(
    body.message,
    response.status,
    body.code ?? '',
    body.next_step ?? '',
    body.problems ?? []
  );
}

/** A proxy's page, a login form or a route that does not exist. */
function notOurs(response: Response): RequestError {
  const { status } = response;
  if (status === 404) {
    return new RequestError(
      'The pipelines server extension did not answer.',
      status,
      'NoExtension',
      'Run `jupyter server extension list`, enable jupyterlab_pipelines and restart the server.'
    );
  }
  const signIn = status === 401 || status === 403 || response.redirected;
  return new RequestError(
    signIn
      ? 'The Jupyter server asks you to sign in again.'
      : `The Jupyter server answered something unexpected (HTTP ${status}).`,
    status,
    signIn ? 'SignInNeeded' : 'BadAnswer',
    signIn ? 'Reload the page.' : "Try again; see the server's log if it stays."
  );
}

function explain(
  error: unknown,
  signal: AbortSignal | undefined,
  lateAfter: number | null
): unknown {
  if (error instanceof RequestError || signal?.aborted) {
    return error;
  }
  if (lateAfter !== null) {
    return new RequestError(
      `The Jupyter server did not answer within ${lateAfter} s.`,
      0,
      'Timeout',
      'Try again; it may be busy.'
    );
  }
  return new RequestError(
    'The Jupyter server cannot be reached.',
    0,
    'Unreachable',
    'Check that it is running and that you are online.'
  );
}

/** Any error as a RequestError, so that views show all of them the same way. */
export function asRequestError(error: unknown): RequestError {
  if (error instanceof RequestError) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new RequestError(message, 0, 'Unexpected', '');
}
