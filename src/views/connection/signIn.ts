/** The ways to sign in to an endpoint, and what each of them asks; pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { NewConnection } from '../../api/types';

export type SignIn = NonNullable<NewConnection['sign_in']>;

/** What the form lets the user choose: the server's methods, some of them in variants. */
export type Method =
  | 'none'
  | 'token'
  | 'token_file'
  | 'token_variable'
  | 'token_command'
  | 'cookie'
  | 'dex'
  | 'oidc'
  | 'iap'
  | 'iap_desktop'
  | 'header';

/** A field that a method needs. */
export interface IQuestion {
  /** The field's name in the server's model. */
  field: string;
  label: string;
  hint?: string;
  placeholder?: string;
  /** Goes in and never comes out. */
  secret?: boolean;
  optional?: boolean;
  /** One of these; else any text. */
  options?: readonly { value: string; label: string }[];
}

/** What was typed in, by question; see `answerKey`. */
export type Answers = Readonly<Record<string, string>>;

/** Each method keeps its own answers, so that a look at another one loses nothing. */
export function answerKey(method: Method, field: string): string {
  return `${method}.${field}`;
}

/** The methods in the order in which they are offered. */
export function methods(
  trans: TranslationBundle
): { value: Method; label: string }[] {
  return [
    { value: 'none', label: trans.__('None') },
    { value: 'token', label: trans.__('Token') },
    { value: 'token_file', label: trans.__('Token from a file') },
    {
      value: 'token_variable',
      label: trans.__('Token from an environment variable')
    },
    { value: 'token_command', label: trans.__('Token from a command') },
    { value: 'cookie', label: trans.__('Session cookie') },
    { value: 'dex', label: trans.__('User name and password (Dex)') },
    { value: 'oidc', label: trans.__('OpenID Connect (OIDC)') },
    { value: 'iap', label: trans.__('Google IAP, service account') },
    { value: 'iap_desktop', label: trans.__('Google IAP, desktop client') },
    { value: 'header', label: trans.__('Request header') }
  ];
}

/** What a method asks; `answers` decide where one question depends on another. */
export function questions(
  method: Method,
  answers: Answers,
  trans: TranslationBundle
): IQuestion[] {
  switch (method) {
    case 'none':
      return [];
    case 'token':
      return [{ field: 'token', label: trans.__('Token'), secret: true }];
    case 'token_file':
      return [
        {
          field: 'file',
          label: trans.__('Path of the file'),
          hint: trans.__('On the Jupyter server; read for each request.'),
          placeholder: SAMPLES.tokenFile
        }
      ];
    case 'token_variable':
      return [
        {
          field: 'variable',
          label: trans.__('Name of the variable'),
          hint: trans.__('In the Jupyter server’s environment.'),
          placeholder: SAMPLES.variable
        }
      ];
    case 'token_command':
      return [
        {
          field: 'command',
          label: trans.__('Command'),
          hint: trans.__('Run on the Jupyter server; it prints the token.'),
          placeholder: SAMPLES.command
        }
      ];
    case 'cookie':
      return [
        {
          field: 'cookie',
          label: trans.__('Cookie'),
          hint: trans.__('As name=value, from a browser that is signed in.'),
          secret: true
        }
      ];
    case 'dex':
      return [userName(trans), password(trans)];
    case 'oidc':
      return oidc(answers, trans);
    case 'iap':
      return [
        proxyClient(trans),
        {
          field: 'key_file',
          label: trans.__('Service account’s key file'),
          hint: trans.__('Empty: the default credentials.'),
          optional: true
        }
      ];
    case 'iap_desktop':
      return [
        proxyClient(trans),
        { field: 'app_client_id', label: trans.__('Desktop client id') },
        {
          field: 'app_client_secret',
          label: trans.__('Desktop client secret'),
          secret: true
        },
        {
          field: 'refresh_token',
          label: trans.__('Refresh token'),
          secret: true
        }
      ];
    case 'header':
      return [
        {
          field: 'header',
          label: trans.__('Header'),
          placeholder: SAMPLES.header
        },
        { field: 'value', label: trans.__('Value'), secret: true }
      ];
  }
}

function oidc(answers: Answers, trans: TranslationBundle): IQuestion[] {
  const grant = answers[answerKey('oidc', 'grant')] || GRANTS[0];
  const optional = grant !== 'client_credentials';
  return [
    {
      field: 'token_url',
      label: trans.__('Token endpoint'),
      placeholder: SAMPLES.tokenUrl
    },
    {
      field: 'grant',
      label: trans.__('Grant'),
      options: [
        { value: GRANTS[0], label: trans.__('Client credentials') },
        { value: GRANTS[1], label: trans.__('User name and password') },
        { value: GRANTS[2], label: trans.__('Refresh token') }
      ]
    },
    { field: 'client_id', label: trans.__('Client id') },
    {
      field: 'client_secret',
      label: trans.__('Client secret'),
      secret: true,
      optional
    },
    ...(grant === 'password' ? [userName(trans), password(trans)] : []),
    ...(grant === 'refresh_token'
      ? [
          {
            field: 'refresh_token',
            label: trans.__('Refresh token'),
            secret: true
          }
        ]
      : []),
    { field: 'scope', label: trans.__('Scope'), optional: true },
    { field: 'audience', label: trans.__('Audience'), optional: true }
  ];
}

function userName(trans: TranslationBundle): IQuestion {
  return { field: 'username', label: trans.__('User name') };
}

function password(trans: TranslationBundle): IQuestion {
  return { field: 'password', label: trans.__('Password'), secret: true };
}

function proxyClient(trans: TranslationBundle): IQuestion {
  return {
    field: 'client_id',
    label: trans.__('OAuth client id'),
    hint: trans.__('The client that the proxy was set up with.')
  };
}

/** The sign-in as the server takes it; what was left empty is left out. */
export function toSignIn(
  method: Method,
  answers: Answers,
  trans: TranslationBundle
): SignIn {
  const asked: Record<string, string> = { method: serverMethod(method) };
  for (const { field, options } of questions(method, answers, trans)) {
    const text = (answers[answerKey(method, field)] ?? '').trim();
    if (text || options) {
      asked[field] = text || options![0].value;
    }
  }
  return asked as unknown as SignIn;
}

/** The choice that a stored sign-in is, and its answers; its secrets are not among them. */
export function fromSignIn(signIn: SignIn): {
  method: Method;
  answers: Answers;
} {
  const method = methodOf(signIn);
  const answers: Record<string, string> = {};
  for (const [field, value] of Object.entries(signIn)) {
    if (field !== 'method' && typeof value === 'string') {
      answers[answerKey(method, field)] = value;
    }
  }
  return { method, answers };
}

function methodOf(signIn: SignIn): Method {
  switch (signIn.method) {
    case 'token':
      return signIn.file
        ? 'token_file'
        : signIn.variable
          ? 'token_variable'
          : signIn.command
            ? 'token_command'
            : 'token';
    case 'iap':
      return signIn.app_client_id ? 'iap_desktop' : 'iap';
    default:
      return signIn.method ?? 'none';
  }
}

function serverMethod(method: Method): string {
  return method.split('_')[0];
}

const GRANTS = ['client_credentials', 'password', 'refresh_token'];

/** What a filled-in field looks like. */
const SAMPLES = {
  tokenFile: '/var/run/secrets/kubeflow/pipelines/token',
  variable: 'KF_PIPELINES_TOKEN',
  command: 'gcloud auth print-identity-token',
  tokenUrl:
    'https://keycloak.example.org/realms/ml/protocol/openid-connect/token',
  header: 'kubeflow-userid'
};
