import { nullTranslator } from '@jupyterlab/translation';
import type { NewConnection } from '../../../api/types';
import {
  draftOf,
  EMPTY,
  EMPTY_STORE,
  findFaults,
  proposeName,
  toNewConnection,
  type IDraft
} from '../draft';
import { placeOf, placeOfStep } from '../places';
import { methods, questions, type Method } from '../signIn';

const trans = nullTranslator.load('jupyterlab_pipelines');

const GOOD: IDraft = {
  ...EMPTY,
  name: 'team',
  host: ' https://kubeflow.example.org/pipeline '
};

const OIDC: IDraft = {
  ...GOOD,
  method: 'oidc',
  answers: {
    'oidc.token_url': 'https://login.example.org/token',
    'oidc.client_id': 'lab',
    'oidc.client_secret': 'hush',
    'oidc.password': 'typed for another grant'
  }
};

function faults(
  draft: IDraft,
  context: { taken?: string[]; stored?: IDraft } = {}
): string[] {
  const { taken = [], stored = null } = context;
  return Object.keys(findFaults(draft, { taken, stored }, trans));
}

describe('what is wrong with a connection', () => {
  it('is nothing with a name and an address', () => {
    expect(faults(GOOD)).toEqual([]);
  });

  it.each(['', 'Team', '1team', 'a_b', 'a b', 'events', 'a'.repeat(64)])(
    'is the name %p',
    name => {
      expect(faults({ ...GOOD, name })).toEqual(['name']);
    }
  );

  it('is a name that is taken, unless it is the changed one’s own', () => {
    expect(faults(GOOD, { taken: ['team'] })).toEqual(['name']);
    expect(faults(GOOD, { taken: ['team'], stored: GOOD })).toEqual([]);
  });

  it.each([
    '',
    'kubeflow.example.org',
    'file:///etc',
    'ftp://a',
    'http://u:p@a'
  ])('is the address %p', host => {
    expect(faults({ ...GOOD, host })).toEqual(['host']);
  });

  it.each(methods(trans).map(({ value }) => value))(
    'is each answer that %p needs and does not have',
    method => {
      const needed = questions(method, {}, trans)
        .filter(({ optional, options }) => !optional && !options)
        .map(({ field }) => `sign_in.${field}`);
      expect(faults({ ...GOOD, method })).toEqual(needed);
    }
  );

  it('is no secret that the server keeps', () => {
    const token: IDraft = { ...GOOD, method: 'token' };
    expect(faults(token, { stored: token })).toEqual([]);
    const cookie: IDraft = { ...GOOD, method: 'cookie' };
    expect(faults(cookie, { stored: token })).toEqual(['sign_in.cookie']);
  });

  it('is a secret that would go to another address', () => {
    const stored: IDraft = { ...GOOD, method: 'token' };
    const moved: IDraft = { ...stored, host: 'https://elsewhere.example.org' };
    expect(faults(moved, { stored })).toEqual(['sign_in.token']);
    const slash: IDraft = { ...stored, host: `${stored.host.trim()}/` };
    expect(faults(slash, { stored })).toEqual([]);
  });

  it('is half a pair of keys', () => {
    const store = { ...EMPTY_STORE, prefix: 's3://bucket/', access_key: 'me' };
    expect(faults({ ...GOOD, stores: [store] })).toEqual([
      'stores.0.secret_key'
    ]);
    const stored: IDraft = { ...GOOD, stores: [store] };
    expect(faults(stored, { stored })).toEqual([]);
    const other = { ...store, prefix: 's3://other/' };
    expect(faults({ ...GOOD, stores: [other] }, { stored })).toEqual([
      'stores.0.secret_key'
    ]);
  });
});

describe('what is sent', () => {
  it('is trimmed, and only what the chosen method asks', () => {
    const sent = toNewConnection(OIDC, trans);
    expect(sent.host).toBe('https://kubeflow.example.org/pipeline');
    expect(sent.sign_in).toEqual({
      method: 'oidc',
      token_url: 'https://login.example.org/token',
      grant: 'client_credentials',
      client_id: 'lab',
      client_secret: 'hush'
    });
  });

  it.each<[Method, object]>([
    ['none', { method: 'none' }],
    ['token_file', { method: 'token', file: 'x' }],
    ['token_variable', { method: 'token', variable: 'x' }],
    ['token_command', { method: 'token', command: 'x' }],
    ['iap_desktop', { method: 'iap', app_client_id: 'x' }]
  ])('tells the server’s own method for %p', (method, expected) => {
    const field = Object.keys(expected)[1];
    const answers = { [`${method}.${field}`]: ' x ' };
    const sent = toNewConnection({ ...GOOD, method, answers }, trans);
    expect(sent.sign_in).toEqual(expected);
  });

  it('leaves out a secret that was left empty', () => {
    const store = { ...EMPTY_STORE, prefix: 's3://b/', access_key: 'me' };
    const sent = toNewConnection(
      { ...GOOD, method: 'token', stores: [store] },
      trans
    );
    expect(sent.sign_in).toEqual({ method: 'token' });
    expect(sent.stores![0]).not.toHaveProperty('secret_key');
  });

  it('is what was stored, where nothing was changed', () => {
    const settings: NewConnection = {
      name: 'team',
      kind: 'kubeflow',
      host: 'https://kubeflow.example.org',
      ui_host: 'https://ui.example.org',
      namespace: 'ml',
      sign_in: { method: 'token', file: '/token' },
      ca_file: '/ca.pem',
      client_certificate: '/c.pem',
      client_key: null,
      artifact_hosts: ['a.example.org', 'b.example.org'],
      stores: [
        { prefix: 's3://b/', endpoint: '', region: 'eu', access_key: 'me' }
      ]
    };
    expect(toNewConnection(draftOf(settings), trans)).toEqual(settings);
  });
});

describe('the proposed name', () => {
  it.each([
    ['https://team.example.org/pipeline', [], 'team'],
    ['https://team.example.org', ['team', 'team-2'], 'team-3'],
    ['https://kubeflow.example.org', [], 'kubeflow-example'],
    ['http://localhost:8080', [], 'localhost'],
    ['http://10.1.2.3', [], 'host-10-1-2-3'],
    ['http://[::1]:80', [], 'endpoint'],
    ['https://local', [], 'local-2'],
    ['not yet an address', [], '']
  ])('for %p beside %p is %p', (host, taken, name) => {
    expect(proposeName(host, taken)).toBe(name);
  });
});

describe('the place of what the server says', () => {
  it.each([
    ['host', 'host'],
    ['artifact_hosts.1', 'artifact_hosts'],
    ['sign_in.client_id', 'sign_in.client_id'],
    ['sign_in.oidc.client_id', 'sign_in.client_id'],
    ['sign_in', 'sign_in'],
    ['sign_in.username', 'sign_in'],
    ['stores.0.prefix', ''],
    ['unheard', '']
  ])('%p is the field %p', (place, field) => {
    expect(placeOf(place, OIDC, trans)).toBe(field);
  });

  it('is the secret where signing in failed', () => {
    expect(placeOfStep('sign_in', OIDC, trans)).toBe('sign_in.client_secret');
    expect(placeOfStep('sign_in', GOOD, trans)).toBe('sign_in');
    expect(placeOfStep('permission', GOOD, trans)).toBe('namespace');
    expect(placeOfStep('tcp', GOOD, trans)).toBe('host');
  });
});
