/** A connection as it is typed in, what is wrong with it, and where; pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { NewConnection } from '../../api/types';
import {
  answerKey,
  fromSignIn,
  questions,
  toSignIn,
  type Answers,
  type IQuestion,
  type Method
} from './signIn';

/** The fields that hold one text each, by their names in the server's model. */
export type TextPlace =
  | 'name'
  | 'host'
  | 'ui_host'
  | 'namespace'
  | 'ca_file'
  | 'client_certificate'
  | 'client_key'
  | 'artifact_hosts';

/** Credentials of an object store, as typed in. */
export interface IStoreDraft {
  prefix: string;
  endpoint: string;
  region: string;
  access_key: string;
  secret_key: string;
}

/** `artifact_hosts` holds one host a line. */
export interface IDraft extends Readonly<Record<TextPlace, string>> {
  readonly method: Method;
  readonly answers: Answers;
  readonly stores: readonly IStoreDraft[];
}

export const EMPTY: IDraft = {
  name: '',
  host: '',
  ui_host: '',
  namespace: '',
  ca_file: '',
  client_certificate: '',
  client_key: '',
  artifact_hosts: '',
  method: 'none',
  answers: {},
  stores: []
};

export const EMPTY_STORE: IStoreDraft = {
  prefix: '',
  endpoint: '',
  region: '',
  access_key: '',
  secret_key: ''
};

/** What is wrong, by place: `host`, `sign_in`, `sign_in.token`, `stores.0.prefix` … */
export type Faults = Readonly<Record<string, string>>;

/** Names that are addresses beside the connections', or the environment's. */
const RESERVED = [
  'local',
  'kubeflow',
  'connections',
  'events',
  'cells',
  'apis',
  'test'
];

/** First words of a host name that say nothing about which one it is. */
const GENERIC = /^(www|api|kfp|kubeflow|pipelines?|ml-pipeline(-ui)?)$/;

const LONGEST_NAME = 63;

/** The draft of a connection that exists; its secrets stay on the server. */
export function draftOf(settings: NewConnection): IDraft {
  const text = (value: string | null | undefined) => value ?? '';
  return {
    name: settings.name,
    host: settings.host,
    ui_host: text(settings.ui_host),
    namespace: text(settings.namespace),
    ca_file: text(settings.ca_file),
    client_certificate: text(settings.client_certificate),
    client_key: text(settings.client_key),
    artifact_hosts: (settings.artifact_hosts ?? []).join('\n'),
    ...fromSignIn(settings.sign_in ?? { method: 'none' }),
    stores: (settings.stores ?? []).map(store => ({
      prefix: store.prefix,
      endpoint: text(store.endpoint),
      region: text(store.region),
      access_key: text(store.access_key),
      secret_key: ''
    }))
  };
}

/** The draft as the server takes it; a secret that was left empty is left out. */
export function toNewConnection(
  draft: IDraft,
  trans: TranslationBundle
): NewConnection {
  const orNull = (text: string) => text.trim() || null;
  return {
    name: draft.name.trim(),
    kind: 'kubeflow',
    host: draft.host.trim(),
    ui_host: draft.ui_host.trim(),
    namespace: draft.namespace.trim(),
    sign_in: toSignIn(draft.method, draft.answers, trans),
    ca_file: orNull(draft.ca_file),
    client_certificate: orNull(draft.client_certificate),
    client_key: orNull(draft.client_key),
    artifact_hosts: draft.artifact_hosts.split(/[\s,]+/).filter(Boolean),
    stores: draft.stores.map(({ secret_key, ...store }) => ({
      ...store,
      ...(secret_key.trim() ? { secret_key: secret_key.trim() } : {})
    }))
  };
}

/** A name made from the address, unlike those that are taken; empty where there is none yet. */
export function proposeName(host: string, taken: readonly string[]): string {
  const url = asUrl(host);
  if (!url) {
    return '';
  }
  const labels = url.hostname.split('.');
  const telling = GENERIC.test(labels[0]) ? labels.slice(0, 2) : [labels[0]];
  const words = /^[\d.]+$/.test(url.hostname) ? ['host', ...labels] : telling;
  const base = words
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, LONGEST_NAME - 3);
  const used = new Set([...taken, ...RESERVED]);
  let name = base || 'endpoint';
  for (let i = 2; used.has(name); i++) {
    name = `${base || 'endpoint'}-${i}`;
  }
  return name;
}

/** What is wrong, by place. A secret of `stored` may be left empty: it is kept. */
export function findFaults(
  draft: IDraft,
  context: { taken: readonly string[]; stored: IDraft | null },
  trans: TranslationBundle
): Faults {
  const { taken, stored } = context;
  const faults: Record<string, string | null> = {
    name: stored ? null : nameFault(draft.name, taken, trans),
    host: addressFault(draft.host, trans),
    ui_host: draft.ui_host.trim() ? addressFault(draft.ui_host, trans) : null,
    client_key:
      draft.client_key.trim() && !draft.client_certificate.trim()
        ? trans.__('Give the certificate that this key belongs to.')
        : null
  };
  for (const question of questions(draft.method, draft.answers, trans)) {
    faults[`sign_in.${question.field}`] = answerFault(
      draft,
      question,
      stored,
      trans
    );
  }
  draft.stores.forEach((store, i) => {
    faults[`stores.${i}.prefix`] = /^[a-z0-9]+:\/\/\S*$/.test(
      store.prefix.trim()
    )
      ? null
      : trans.__('Begin with the scheme, for instance minio:// or s3://.');
    const secret = store.secret_key.trim() || isStoreKept(store, stored);
    if (!!store.access_key.trim() !== !!secret) {
      faults[`stores.${i}.${secret ? 'access_key' : 'secret_key'}`] = trans.__(
        'An access key and its secret key belong together.'
      );
    }
  });
  return Object.fromEntries(
    Object.entries(faults).filter((one): one is [string, string] => !!one[1])
  );
}

/** Whether a secret that is left empty is kept: only for where it went before. */
export function isKept(
  draft: IDraft,
  question: IQuestion,
  stored: IDraft | null
): boolean {
  if (!question.secret || !stored || stored.method !== draft.method) {
    return false;
  }
  const tokenUrl = answerKey(draft.method, 'token_url');
  return (
    sameText(draft.host, stored.host) &&
    sameText(draft.ui_host, stored.ui_host) &&
    sameText(draft.answers[tokenUrl], stored.answers[tokenUrl])
  );
}

/** Whether the server has the secret key of these credentials already. */
export function isStoreKept(
  store: IStoreDraft,
  stored: IDraft | null
): boolean {
  return !!stored?.stores.some(
    one =>
      one.prefix === store.prefix &&
      one.endpoint === store.endpoint &&
      one.access_key === store.access_key
  );
}

function sameText(one: string = '', other: string = ''): boolean {
  return one.trim().replace(/\/+$/, '') === other.trim().replace(/\/+$/, '');
}

function answerFault(
  draft: IDraft,
  question: IQuestion,
  stored: IDraft | null,
  trans: TranslationBundle
): string | null {
  const { field, optional, options } = question;
  const text = (draft.answers[answerKey(draft.method, field)] ?? '').trim();
  if (text || optional || options || isKept(draft, question, stored)) {
    return null;
  }
  return trans.__('Fill this in, or choose another way to sign in.');
}

function nameFault(
  name: string,
  taken: readonly string[],
  trans: TranslationBundle
): string | null {
  if (!/^[a-z][a-z0-9-]*$/.test(name.trim())) {
    return trans.__(
      'Begin with a letter; then small letters, digits and hyphens.'
    );
  }
  if (name.trim().length > LONGEST_NAME) {
    return trans.__('Take at most %1 characters.', LONGEST_NAME);
  }
  if (taken.includes(name.trim())) {
    return trans.__('There is a connection of this name already.');
  }
  return RESERVED.includes(name.trim())
    ? trans.__('This name is reserved. Choose another.')
    : null;
}

function addressFault(text: string, trans: TranslationBundle): string | null {
  const url = asUrl(text);
  if (!url) {
    return trans.__(
      'Give the whole address, for instance https://kubeflow.example.org/pipeline.'
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return trans.__('The address must begin with https:// or http://.');
  }
  if (url.username || url.password) {
    return trans.__(
      'Leave user and password out of the address; choose a sign-in below.'
    );
  }
  return null;
}

function asUrl(text: string): URL | null {
  try {
    return new URL(text.trim());
  } catch {
    return null;
  }
}

/** Whether any folded field is filled in. */
export function usesAdvanced(draft: IDraft): boolean {
  return (
    draft.stores.length > 0 ||
    [
      draft.ui_host,
      draft.ca_file,
      draft.client_certificate,
      draft.client_key,
      draft.artifact_hosts
    ].some(text => text.trim() !== '')
  );
}
