/**
 * The vocabulary shared with the server, generated from jupyterlab_pipelines/models/.
 *
 * Do not edit: change them there and run `make types`.
 */

export type JsonValue = unknown;
/**
 * Kubeflow's runtime states, and CACHED, which only a task can be in.
 */
export type State =
  'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'CACHED' | 'SKIPPED' | 'FAILED' | 'CANCELING' | 'CANCELED' | 'PAUSED';
/**
 * The engine behind a connection.
 */
export type ConnectionKind = 'local' | 'kubeflow';
/**
 * What the last look at a connection found.
 */
export type ConnectionState = 'ready' | 'unreachable' | 'sign_in' | 'forbidden' | 'unsupported';
/**
 * What a node of a run is; the coming Kubeflow Task API uses the same words.
 */
export type TaskType =
  'RUNTIME' | 'IMPORTER' | 'DAG' | 'CONDITION' | 'CONDITION_BRANCH' | 'LOOP' | 'LOOP_ITERATION' | 'EXIT_HANDLER';

/**
 * An artifact of a run's graph, known from the pipeline before it exists.
 */
export interface ArtifactNode {
  id: string;
  /**
   * The output's key.
   */
  name: string;
  /**
   * Schema title, e.g. `system.Model`.
   */
  type: string;
  /**
   * Id of the producing task.
   */
  producer: string | null;
  parent: string | null;
}
/**
 * An artifact as an input or output of a task. `id` is null where it came from elsewhere.
 */
export interface ArtifactRef {
  name: string;
  id: string | null;
  type: string;
  uri: string;
  metadata: {
    [k: string]: JsonValue;
  };
  producer: string | null;
}
/**
 * An artifact that exists: where it is and what its producer said about it.
 */
export interface ArtifactStatus {
  uri: string;
  metadata: {
    [k: string]: JsonValue;
  };
  /**
   * Bytes; null where unknown or a folder.
   */
  size: number | null;
  created_at: string | null;
}
/**
 * One try of a task; the first is number 1.
 */
export interface Attempt {
  number: number;
  state: State;
  started_at: string | null;
  finished_at: string | null;
  exit_code: number | null;
  error: string | null;
}
/**
 * A notebook and the cells chosen in it, in the notebook's order.
 */
export interface CellSelection {
  /**
   * The notebook's path, for names and messages.
   */
  notebook?: string;
  cells: NotebookCell[];
  /**
   * Ids of the chosen cells.
   *
   * @minItems 1
   */
  selected: string[];
}
/**
 * A cell as the notebook holds it.
 */
export interface NotebookCell {
  id: string;
  cell_type?: 'code' | 'markdown' | 'raw';
  source: string;
  tags?: string[];
}
/**
 * What went, or with `dry_run` would go; `total` is what the folder then takes, in bytes.
 */
export interface Cleaned {
  items: CleanedItem[];
  freed: number;
  total: number;
  dry_run: boolean;
}
/**
 * One thing that went, or would go.
 */
export interface CleanedItem {
  /**
   * run, environment or left-over.
   */
  kind: string;
  id: string;
  name: string;
  /**
   * Bytes.
   */
  size: number;
  used_at: string;
}
/**
 * What may go. Left-overs that nothing refers to always go; a run that is active never.
 */
export interface Cleaning {
  /**
   * Runs that ended, and environments last used, before that.
   */
  older_than_days?: number | null;
  /**
   * The least recently used go until this is enough.
   */
  keep_bytes?: number | null;
  dry_run?: boolean;
}
/**
 * A named backend as the browser sees it; it never carries a secret.
 */
export interface Connection {
  name: string;
  kind: ConnectionKind;
  /**
   * The API's address without credentials; empty for local.
   */
  host: string;
  /**
   * The UI server's address where it is another one.
   */
  ui_host: string;
  namespace: string;
  /**
   * The method of signing in, e.g. `token`.
   */
  sign_in: string;
  /**
   * Where it was found; empty where the user added it.
   */
  found: '' | 'pod' | 'environment' | 'kubeconfig';
  /**
   * The panel opens on it.
   */
  preferred: boolean;
  state: ConnectionState;
  /**
   * Why it is not ready and what to do; empty when ready.
   */
  message: string;
  /**
   * What to know before something is run there.
   */
  notice: string;
  removable: boolean;
}
/**
 * One step on the way to an endpoint; those after a failed one are not tried.
 */
export interface ConnectionStep {
  name: 'name' | 'tcp' | 'tls' | 'sign_in' | 'api' | 'permission' | 'ui';
  title: string;
  state: 'ok' | 'failed' | 'skipped';
  message: string;
  next_step: string;
}
/**
 * What a look at a connection found, step by step.
 */
export interface ConnectionTest {
  ok: boolean;
  steps: ConnectionStep[];
  /**
   * What the endpoint says that it is.
   */
  version: string;
  namespaces: string[];
}
/**
 * A session cookie of Dex or oauth2-proxy, as `name=value`.
 */
export interface CookieSignIn {
  method: 'cookie';
  cookie?: string | null;
}
/**
 * User name and password, given to Dex's own form; the session is renewed when it ends.
 */
export interface DexSignIn {
  method: 'dex';
  username: string;
  password?: string | null;
}
/**
 * `output`: task → artifact; `input`: artifact → task; `dependency`: task → task.
 */
export interface Edge {
  source: string;
  target: string;
  kind: 'output' | 'input' | 'dependency';
  /**
   * The name of the input or parameter that travels.
   */
  label: string;
}
/**
 * Packages installed once for all steps that ask for the same on the same interpreter.
 */
export interface Environment {
  key: string;
  interpreter: string;
  packages: string[];
  /**
   * Bytes on disk.
   */
  size: number;
  built_at: string;
  used_at: string;
  /**
   * A run that has not ended may be using it.
   */
  active: boolean;
}
/**
 * The body of every error of our own routes (`/apis` answers as Kubeflow does).
 */
export interface ErrorBody {
  code: string;
  message: string;
  next_step: string;
  problems: Problem[];
}
/**
 * Something wrong at a place: a cell and line, a task, a parameter.
 */
export interface Problem {
  message: string;
  next_step: string;
  cell: string | null;
  /**
   * 1-based.
   */
  line: number | null;
  /**
   * 1-based.
   */
  column: number | null;
  place: string;
}
/**
 * Server → browser. `seq` counts this socket's events; a gap means: fetch again.
 */
export interface Event {
  seq: number;
  topic: 'connections' | 'runs' | 'run' | 'log';
  connection: string;
  run_id: string;
  task_id: string;
  /**
   * topic runs: new or changed.
   */
  runs: Run[];
  /**
   * topic runs: ids now gone.
   */
  deleted: string[];
  /**
   * topic run.
   */
  delta: GraphDelta | null;
  /**
   * topic log: bytes there are now.
   */
  log_size: number | null;
  attempt: number | null;
  connections: Connection[];
  /**
   * Set while the backend cannot be reached: why.
   */
  stale: string | null;
}
/**
 * One run of a pipeline. Times are UTC.
 */
export interface Run {
  run_id: string;
  display_name: string;
  state: State;
  description: string;
  created_at: string;
  scheduled_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  error: string | null;
  experiment_id: string;
  pipeline_name: string;
  pipeline_id: string | null;
  pipeline_version_id: string | null;
  recurring_run_id: string | null;
  namespace: string;
  archived: boolean;
  parameters: {
    [k: string]: JsonValue;
  };
  progress: Progress | null;
}
/**
 * How many executable tasks (leaves of the graph) a run has, by what became of them.
 */
export interface Progress {
  total: number;
  running: number;
  done: number;
  failed: number;
}
/**
 * What changed in a run since `base_revision`. A new `topology_key` means: fetch the graph.
 */
export interface GraphDelta {
  run: Run;
  base_revision: number;
  revision: number;
  topology_key: string;
  tasks: {
    [k: string]: TaskStatus;
  };
  artifacts: {
    [k: string]: ArtifactStatus;
  };
}
/**
 * What moves while a task runs.
 */
export interface TaskStatus {
  state: State;
  created_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  /**
   * One or a few lines: why it failed.
   */
  error: string | null;
  attempts: Attempt[];
  cached_from: TaskRef | null;
}
/**
 * A task of some run.
 */
export interface TaskRef {
  run_id: string;
  task_id: string;
}
/**
 * One header of the user's own, such as `kubeflow-userid`.
 */
export interface HeaderSignIn {
  method: 'header';
  header: string;
  value?: string | null;
}
/**
 * Google's Identity-Aware Proxy: a service account's key file, or a desktop client's grant.
 */
export interface IapSignIn {
  method: 'iap';
  /**
   * The OAuth client that the proxy was set up with.
   */
  client_id: string;
  /**
   * A service account's key; null: the default.
   */
  key_file?: string | null;
  app_client_id?: string;
  app_client_secret?: string | null;
  refresh_token?: string | null;
}
/**
 * What the kernel knows of a variable the selection needs.
 */
export interface KernelVariable {
  name: string;
  type?: string;
  preview?: string;
  value?: unknown;
  /**
   * `value` is the variable, whole.
   */
  is_json?: boolean;
  /**
   * File the kernel saved the value to.
   */
  snapshot?: string | null;
  error?: string | null;
}
/**
 * A piece of an attempt's log. Offsets are bytes; a chunk never splits a character.
 */
export interface LogChunk {
  text: string;
  offset: number;
  next_offset: number;
  size: number;
  /**
   * The attempt is over and the chunk reaches its end.
   */
  complete: boolean;
  attempt: number;
}
/**
 * The namespace whose runs a connection is to show; empty: none.
 */
export interface NamespaceChoice {
  namespace: string;
}
/**
 * The namespaces the user may see. Where they cannot be listed, `message` says why.
 */
export interface Namespaces {
  namespaces: string[];
  current: string;
  multi_user: boolean;
  message: string;
}
/**
 * A connection as the user gives it. Where one is changed, a secret left out is kept.
 */
export interface NewConnection {
  name: string;
  kind: 'kubeflow';
  host: string;
  ui_host?: string;
  namespace?: string;
  sign_in?: NoSignIn | TokenSignIn | CookieSignIn | DexSignIn | OidcSignIn | IapSignIn | HeaderSignIn;
  /**
   * Certificates to trust beside the system's.
   */
  ca_file?: string | null;
  client_certificate?: string | null;
  client_key?: string | null;
  /**
   * Hosts from which http(s) artifacts may be read.
   */
  artifact_hosts?: string[];
  stores?: ObjectStore[];
}
/**
 * The endpoint asks for nothing.
 */
export interface NoSignIn {
  method: 'none';
}
/**
 * A bearer token: by value, or read again for each request. Exactly one field is given.
 */
export interface TokenSignIn {
  method: 'token';
  token?: string | null;
  /**
   * A file whose content is the token, e.g. mounted.
   */
  file?: string | null;
  /**
   * An environment variable of the server.
   */
  variable?: string | null;
  /**
   * A command that prints the token.
   */
  command?: string | null;
}
/**
 * An OIDC token endpoint, such as Keycloak's.
 */
export interface OidcSignIn {
  method: 'oidc';
  token_url: string;
  grant?: 'password' | 'client_credentials' | 'refresh_token';
  client_id: string;
  client_secret?: string | null;
  username?: string;
  password?: string | null;
  refresh_token?: string | null;
  scope?: string;
  audience?: string;
}
/**
 * Credentials of the bucket, or all buckets, below a URI; else the pod's own are used.
 */
export interface ObjectStore {
  /**
   * e.g. `minio://mlpipeline/` or `s3://`.
   */
  prefix: string;
  /**
   * An S3-compatible service's address; empty: the cloud's.
   */
  endpoint?: string;
  region?: string;
  access_key?: string;
  secret_key?: string | null;
}
/**
 * Something to show of a task: a MIME bundle as a notebook's output would hold it.
 */
export interface Output {
  id: string;
  task_id: string;
  title: string;
  /**
   * e.g. markdown, html, metrics, roc, confusion_matrix, table.
   */
  kind: string;
  artifact_id: string | null;
  bundle: {
    [k: string]: unknown;
  };
  metadata: {
    [k: string]: unknown;
  };
  /**
   * Why it cannot be shown, and the next step.
   */
  error: string | null;
}
/**
 * What the submit dialog shows of a pipeline file; `problems` say why it cannot run.
 */
export interface PipelineDescription {
  name: string;
  description: string;
  parameters: PipelineParameter[];
  problems: Problem[];
}
/**
 * A parameter of a pipeline, as its IR declares it.
 */
export interface PipelineParameter {
  name: string;
  /**
   * IR's word: STRING, NUMBER_INTEGER, LIST, STRUCT …
   */
  type: string;
  description: string;
  /**
   * Neither optional nor given a default.
   */
  required: boolean;
  default: unknown;
  /**
   * The only values allowed.
   */
  choices: JsonValue[];
}
/**
 * A pipeline to look at before it runs.
 */
export interface PipelineSource {
  /**
   * Compiled IR: YAML or JSON text, or parsed.
   */
  pipeline:
    | {
        [k: string]: unknown;
      }
    | string;
}
/**
 * A run's shape and state. `tasks` and `artifacts` are keyed by node id.
 */
export interface RunGraph {
  run: Run;
  topology: Topology;
  tasks: {
    [k: string]: TaskStatus;
  };
  artifacts: {
    [k: string]: ArtifactStatus;
  };
  /**
   * Counts this run's changes; grows.
   */
  revision: number;
  /**
   * What could not be read of the run, and why.
   */
  notes: string[];
}
/**
 * The shape of a run. It changes only when a loop or a group unfolds.
 */
export interface Topology {
  /**
   * A hash of the shape: same key, same layout.
   */
  key: string;
  tasks: TaskNode[];
  artifacts: ArtifactNode[];
  edges: Edge[];
}
/**
 * A step, or a group of steps, of a run's graph.
 */
export interface TaskNode {
  id: string;
  /**
   * The task's key in the pipeline's DAG.
   */
  name: string;
  display_name: string;
  type: TaskType;
  /**
   * Id of the enclosing group; null at the top.
   */
  parent: string | null;
  /**
   * Index of a LOOP_ITERATION.
   */
  iteration: number | null;
  component: string | null;
}
/**
 * One page of the run list; an empty `next_page_token` means the last page.
 */
export interface RunPage {
  runs: Run[];
  next_page_token: string;
  total_size: number | null;
  /**
   * What the page does not hold yet, and what to do about it.
   */
  note: string;
}
/**
 * What the run list asks for; every criterion narrows the list.
 */
export interface RunQuery {
  /**
   * A part of the name, in any case.
   */
  name?: string;
  states?: State[];
  experiment_id?: string | null;
  pipeline_name?: string | null;
  archived?: boolean;
  sort_by?: 'created_at' | 'finished_at' | 'display_name' | 'state' | 'duration';
  descending?: boolean;
  page_size?: number;
  page_token?: string;
}
/**
 * A variable the step needs, and where its value is to come from.
 *
 * `parameter`: a JSON value, editable; `snapshot`: the kernel's live value, saved to a file;
 * `recompute`: the earlier cells that define it run first, inside the step.
 */
export interface StepInput {
  name: string;
  source: 'parameter' | 'snapshot' | 'recompute';
  type: string;
  value: unknown;
  snapshot: string | null;
  preview: string;
  /**
   * Ids of the defining cells.
   */
  defined_in: string[];
}
/**
 * What will run: the answer the dialog shows before anything starts.
 */
export interface StepPlan {
  name: string;
  inputs: StepInput[];
  /**
   * Distributions the code imports, as requirements.
   */
  packages: string[];
  /**
   * The code that will run, cells separated by `# %%` lines.
   */
  code: string;
  /**
   * Ids of earlier cells or parts that come along.
   */
  included: string[];
  problems: Problem[];
}
/**
 * The dialog's question and, with the user's choices filled in, the order to run.
 */
export interface StepRequest {
  selection: CellSelection;
  name?: string;
  /**
   * The user's choices; null: propose.
   */
  inputs?: StepInput[] | null;
  variables?: KernelVariable[];
  /**
   * Requirements to install; null: propose.
   */
  packages?: string[] | null;
  /**
   * The kernel's Python, from the probe.
   */
  interpreter?: string | null;
  /**
   * Module → `name==version`, from the probe.
   */
  distributions?: {
    [k: string]: string | null;
  };
  /**
   * The kernel's folder, from the probe.
   */
  working_directory?: string;
  caching?: boolean | null;
}
/**
 * Bytes on disk of everything below the engine's folder, and what is free beside it.
 */
export interface Storage {
  path: string;
  total: number;
  free: number;
  /**
   * Bytes of all runs: artifacts, logs, notebooks.
   */
  runs: number;
  run_count: number;
  active_run_count: number;
  environments: Environment[];
  /**
   * Bytes of kernel values saved for steps.
   */
  snapshots: number;
  /**
   * Bytes of the database, kfp's modules and locks.
   */
  other: number;
}
/**
 * A pipeline to run. `pipeline` is IR: `pipeline_spec` fields, or with `platforms` beside.
 */
export interface Submission {
  /**
   * Compiled IR: YAML or JSON text, or parsed.
   */
  pipeline:
    | {
        [k: string]: unknown;
      }
    | string;
  display_name?: string;
  description?: string;
  parameters?: {
    [k: string]: JsonValue;
  };
  experiment_id?: string | null;
  /**
   * Overrides every task's caching; null keeps.
   */
  caching?: boolean | null;
  /**
   * Python that runs the steps on `local`; null: the engine's own.
   */
  interpreter?: string | null;
}
/**
 * Browser → server on the events socket.
 */
export interface Subscription {
  action: 'subscribe' | 'unsubscribe';
  topic: 'connections' | 'runs' | 'run' | 'log';
  connection?: string;
  run_id?: string;
  task_id?: string;
  attempt?: number | null;
}
/**
 * What the viewer shows of one clicked task.
 */
export interface TaskDetail {
  run_id: string;
  node: TaskNode;
  status: TaskStatus;
  inputs: TaskIO;
  outputs: TaskIO;
  image: string;
  command: string[];
  /**
   * The Python function's source where the task has one.
   */
  source: string;
  packages: string[];
  caching: boolean;
  cache_key: string;
}
/**
 * One side of a task.
 */
export interface TaskIO {
  parameters: {
    [k: string]: JsonValue;
  };
  artifacts: ArtifactRef[];
}
