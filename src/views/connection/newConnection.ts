/** A connection as it is typed in, and what is wrong with it; pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { NewConnection } from '../../api/types';

/** How the endpoint knows the user. */
export type Credentials = 'none' | 'token' | 'token_file' | 'token_env';

export interface IDraft {
  name: string;
  host: string;
  namespace: string;
  credentials: Credentials;
  /** The token, the file's path or the variable's name. */
  secret: string;
}

export const EMPTY: IDraft = {
  name: '',
  host: '',
  namespace: '',
  credentials: 'none',
  secret: ''
};

export type Faults = Partial<Record<keyof IDraft, string>>;

/** What is wrong, by field; a field that was left empty is reported too. */
export function findFaults(
  draft: IDraft,
  taken: readonly string[],
  trans: TranslationBundle
): Faults {
  const faults: Faults = {};
  if (!/^[a-z][a-z0-9-]*$/.test(draft.name)) {
    faults.name = trans.__(
      'Begin with a letter; then small letters, digits and hyphens.'
    );
  } else if (taken.includes(draft.name)) {
    faults.name = trans.__('There is a connection of this name already.');
  }
  const host = hostFault(draft.host.trim(), trans);
  if (host) {
    faults.host = host;
  }
  if (draft.credentials !== 'none' && !draft.secret.trim()) {
    faults.secret = trans.__('Fill this in, or choose “No token”.');
  }
  return faults;
}

function hostFault(host: string, trans: TranslationBundle): string | null {
  let url: URL;
  try {
    url = new URL(host);
  } catch {
    return trans.__(
      'Give the whole address, for instance https://kubeflow.example.org/pipeline.'
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return trans.__('The address must begin with https:// or http://.');
  }
  if (url.username || url.password) {
    return trans.__(
      'Leave user and password out of the address; give a token below.'
    );
  }
  return null;
}

/** The draft as the server takes it. */
export function toNewConnection(draft: IDraft): NewConnection {
  return {
    name: draft.name,
    kind: 'kubeflow',
    host: draft.host.trim(),
    namespace: draft.namespace.trim(),
    sign_in: signIn(draft.credentials, draft.secret.trim())
  };
}

function signIn(
  credentials: Credentials,
  secret: string
): NonNullable<NewConnection['sign_in']> {
  switch (credentials) {
    case 'none':
      return { method: 'none' };
    case 'token':
      return { method: 'token', token: secret };
    case 'token_file':
      return { method: 'token', file: secret };
    case 'token_env':
      return { method: 'token', variable: secret };
  }
}
