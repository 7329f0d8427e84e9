import { ServerConnection } from '@jupyterlab/services';
import { PipelinesClient } from '../client';
import type { RequestError } from '../request';
import { request, routeUrl } from '../request';

/** What is asked, without Node's own Request: it refuses the signals of a jsdom page. */
class Asked {
  constructor(readonly url: string) {}
  readonly headers = new Headers();
}

function settings(answer: () => Promise<Response> | Response) {
  const asked: Asked[] = [];
  const made = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/user/ada/',
    Request: Asked as unknown as typeof Request,
    fetch: async (input: RequestInfo) => {
      asked.push(input as unknown as Asked);
      return answer();
    }
  });
  return { made, asked };
}

function json(data: unknown, status = 200): Response {
  return new Response(JSON.stringify(data), { status });
}

async function failure(answer: () => Promise<Response> | Response) {
  const { made } = settings(answer);
  return request(made, ['connections']).then(
    () => null,
    error => error as RequestError
  );
}

describe('routeUrl', () => {
  const { made } = settings(() => json(null));

  it('keeps the prefix and encodes segments and values', () => {
    expect(
      routeUrl(made, ['local', 'runs', 'a/b', 'task'], {
        task: 'loop[3]/train',
        none: null
      })
    ).toBe(
      'http://localhost/user/ada/pipelines/local/runs/a%2Fb/task?task=loop%5B3%5D%2Ftrain'
    );
  });

  it('repeats the name of a list', () => {
    expect(routeUrl(made, ['x'], { state: ['FAILED', 'RUNNING'] })).toMatch(
      /\?state=FAILED&state=RUNNING$/
    );
  });
});

describe('request', () => {
  it('returns what the server answered', async () => {
    const { made } = settings(() => json({ a: 1 }));
    expect(await request(made, ['x'])).toEqual({ a: 1 });
  });

  it('carries the server’s message, code and next step', async () => {
    const problem = { message: 'line 3', place: 'root' };
    const error = await failure(() =>
      json(
        {
          code: 'BadInput',
          message: 'No.',
          next_step: 'Fix it.',
          problems: [problem]
        },
        400
      )
    );
    expect(error).toMatchObject({
      message: 'No.',
      status: 400,
      code: 'BadInput',
      nextStep: 'Fix it.',
      problems: [problem]
    });
  });

  it.each([
    [404, 'NoExtension'],
    [403, 'SignInNeeded'],
    [502, 'BadAnswer']
  ])('explains a page that is not ours (%p)', async (status, code) => {
    const error = await failure(() => new Response('<html>', { status }));
    expect(error).toMatchObject({ status, code });
    expect(error?.nextStep).not.toBe('');
  });

  it('explains that the server cannot be reached', async () => {
    const error = await failure(() => Promise.reject(new TypeError('x')));
    expect(error).toMatchObject({ status: 0, code: 'Unreachable' });
  });
});

describe('PipelinesClient', () => {
  it('asks for runs as the list’s query says', async () => {
    const { made, asked } = settings(() =>
      json({ runs: [], next_page_token: '', total_size: 0 })
    );
    await new PipelinesClient(made).runs('local', {
      name: 'digits',
      states: ['FAILED'],
      descending: false
    });
    const url = new URL(asked[0].url);
    expect(url.pathname).toBe('/user/ada/pipelines/local/runs');
    expect(url.searchParams.get('state')).toBe('FAILED');
    expect(url.searchParams.get('name')).toBe('digits');
    expect(url.searchParams.get('descending')).toBe('false');
  });
});
