/** The server extension's routes as typed methods: fetch only, no state. */
import { ServerConnection } from '@jupyterlab/services';
import { request, routeUrl } from './request';
import type {
  Cleaned,
  Cleaning,
  Connection,
  ConnectionTest,
  LogChunk,
  Namespaces,
  NewConnection,
  Output,
  PipelineDescription,
  Run,
  RunGraph,
  RunPage,
  RunQuery,
  StepPlan,
  StepRequest,
  Storage,
  Submission,
  TaskDetail
} from './types';

/** Which piece of a log to read; `attempt` null: the last one. */
export interface ILogQuery {
  attempt?: number | null;
  /** Bytes from the log's beginning. */
  offset: number;
  /** Bytes at most; 0 asks for the size alone. */
  limit: number;
}

/** Seconds that counting or removing very many files may take. */
const STORAGE_TIMEOUT_S = 600;

/** Seconds that compiling and submitting may take. */
const SUBMIT_TIMEOUT_S = 120;

/** Seconds that all steps of a connection's test may take. */
const TEST_TIMEOUT_S = 90;

/** Every method rejects with RequestError. */
export class PipelinesClient {
  constructor(
    readonly settings: ServerConnection.ISettings = ServerConnection.makeSettings()
  ) {}

  async connections(signal?: AbortSignal): Promise<Connection[]> {
    const answer = await request<Connection[] | { connections: Connection[] }>(
      this.settings,
      ['connections'],
      { signal }
    );
    return Array.isArray(answer) ? answer : answer.connections;
  }

  addConnection(connection: NewConnection): Promise<Connection> {
    return request(this.settings, ['connections'], {
      method: 'POST',
      body: connection
    });
  }

  /** How a connection was given, without its secrets. */
  connection(name: string, signal?: AbortSignal): Promise<NewConnection> {
    return request(this.settings, ['connections', name], { signal });
  }

  /** Replaces a connection of the same name; secrets left out are kept. */
  changeConnection(connection: NewConnection): Promise<Connection> {
    return request(this.settings, ['connections', connection.name], {
      method: 'PUT',
      body: connection
    });
  }

  /** Looks step by step how far a connection leads; stores nothing. */
  testConnection(
    connection: NewConnection,
    signal?: AbortSignal
  ): Promise<ConnectionTest> {
    return request(this.settings, ['connections', 'test'], {
      method: 'POST',
      body: connection,
      timeoutSeconds: TEST_TIMEOUT_S,
      signal
    });
  }

  /** As `testConnection`, of one that the server knows by its name. */
  testKnownConnection(
    name: string,
    signal?: AbortSignal
  ): Promise<ConnectionTest> {
    return request(this.settings, ['connections', name, 'test'], {
      method: 'POST',
      body: {},
      timeoutSeconds: TEST_TIMEOUT_S,
      signal
    });
  }

  namespaces(connection: string, signal?: AbortSignal): Promise<Namespaces> {
    return request(this.settings, [connection, 'namespaces'], { signal });
  }

  async chooseNamespace(connection: string, namespace: string): Promise<void> {
    await request(this.settings, [connection, 'namespace'], {
      method: 'PUT',
      body: { namespace }
    });
  }

  async removeConnection(name: string): Promise<void> {
    await request(this.settings, ['connections', name], { method: 'DELETE' });
  }

  /** What runs and environments take on the server's disk. */
  storage(connection: string, signal?: AbortSignal): Promise<Storage> {
    return request(this.settings, [connection, 'storage'], {
      timeoutSeconds: STORAGE_TIMEOUT_S,
      signal
    });
  }

  /** Removes what is old or too much; with `dry_run` only tells what would go. */
  clean(
    connection: string,
    cleaning: Cleaning,
    signal?: AbortSignal
  ): Promise<Cleaned> {
    return request(this.settings, [connection, 'clean'], {
      method: 'POST',
      body: cleaning,
      timeoutSeconds: STORAGE_TIMEOUT_S,
      signal
    });
  }

  runs(
    connection: string,
    query: RunQuery = {},
    signal?: AbortSignal
  ): Promise<RunPage> {
    const { states, ...rest } = query;
    return request(this.settings, [connection, 'runs'], {
      query: {
        ...rest,
        name: rest.name || null,
        page_token: rest.page_token || null,
        state: states
      },
      signal
    });
  }

  submit(connection: string, submission: Submission): Promise<Run> {
    return request(this.settings, [connection, 'runs'], {
      method: 'POST',
      body: submission,
      timeoutSeconds: SUBMIT_TIMEOUT_S
    });
  }

  /** Name, parameters and problems of a compiled pipeline; starts nothing. */
  describe(
    connection: string,
    pipeline: Submission['pipeline']
  ): Promise<PipelineDescription> {
    return request(this.settings, [connection, 'pipelines', 'describe'], {
      method: 'POST',
      body: { pipeline }
    });
  }

  run(connection: string, runId: string, signal?: AbortSignal): Promise<Run> {
    return request(this.settings, [connection, 'runs', runId], { signal });
  }

  async deleteRun(connection: string, runId: string): Promise<void> {
    await request(this.settings, [connection, 'runs', runId], {
      method: 'DELETE'
    });
  }

  async terminate(connection: string, runId: string): Promise<void> {
    await request(this.settings, [connection, 'runs', runId, 'terminate'], {
      method: 'POST',
      body: {}
    });
  }

  async retry(connection: string, runId: string): Promise<void> {
    await request(this.settings, [connection, 'runs', runId, 'retry'], {
      method: 'POST',
      body: {}
    });
  }

  graph(
    connection: string,
    runId: string,
    signal?: AbortSignal
  ): Promise<RunGraph> {
    return request(this.settings, [connection, 'runs', runId, 'graph'], {
      signal
    });
  }

  task(
    connection: string,
    runId: string,
    taskId: string,
    signal?: AbortSignal
  ): Promise<TaskDetail> {
    return request(this.settings, [connection, 'runs', runId, 'task'], {
      query: { task: taskId },
      signal
    });
  }

  log(
    connection: string,
    runId: string,
    taskId: string,
    query: ILogQuery,
    signal?: AbortSignal
  ): Promise<LogChunk> {
    return request(this.settings, [connection, 'runs', runId, 'log'], {
      query: { task: taskId, ...query },
      signal
    });
  }

  /** Address of a whole log as text/plain, for a download. */
  logUrl(
    connection: string,
    runId: string,
    taskId: string,
    attempt: number | null
  ): string {
    return routeUrl(this.settings, [connection, 'runs', runId, 'log'], {
      task: taskId,
      attempt,
      download: 1
    });
  }

  /** What a task, or without `taskId` the whole run, has to show. */
  async outputs(
    connection: string,
    runId: string,
    taskId?: string,
    signal?: AbortSignal
  ): Promise<Output[]> {
    const answer = await request<{ outputs: Output[] }>(
      this.settings,
      [connection, 'runs', runId, 'outputs'],
      { query: { task: taskId }, signal }
    );
    return answer.outputs;
  }

  /** Address of an artifact's bytes, for a download. */
  artifactUrl(connection: string, runId: string, artifactId: string): string {
    return routeUrl(this.settings, [connection, 'runs', runId, 'artifact'], {
      artifact: artifactId
    });
  }

  /** Python that, run in the notebook's kernel, tells what these names and modules are. */
  async probe(names: string[], modules: string[]): Promise<string> {
    const answer = await request<{ source: string }>(
      this.settings,
      ['cells', 'probe'],
      { method: 'POST', body: { names, modules } }
    );
    return answer.source;
  }

  planStep(
    connection: string,
    step: StepRequest,
    signal?: AbortSignal
  ): Promise<StepPlan> {
    return request(this.settings, [connection, 'cells', 'plan'], {
      method: 'POST',
      body: step,
      signal
    });
  }

  runStep(connection: string, step: StepRequest): Promise<Run> {
    return request(this.settings, [connection, 'cells', 'run'], {
      method: 'POST',
      body: step,
      timeoutSeconds: SUBMIT_TIMEOUT_S
    });
  }
}
