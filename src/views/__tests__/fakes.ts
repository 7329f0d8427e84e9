/** A server in memory: a client and an event socket with the real ones' faces. */
import { Signal } from '@lumino/signaling';
import type { PipelinesClient } from '../../api/client';
import type {
  EventSocket,
  IEventListener,
  IEventsStatus,
  Topic
} from '../../api/events';
import type {
  Connection,
  Event,
  Namespaces,
  Run,
  RunPage,
  RunQuery,
  State
} from '../../api/types';
import { Pipelines } from '../../models/pipelines';

export function makeRun(id: string, changes: Partial<Run> = {}): Run {
  return {
    run_id: id,
    display_name: `run ${id}`,
    state: 'SUCCEEDED' as State,
    description: '',
    created_at: '2026-05-10T12:00:00Z',
    scheduled_at: null,
    started_at: '2026-05-10T12:00:01Z',
    finished_at: '2026-05-10T12:01:05Z',
    error: null,
    experiment_id: '',
    pipeline_name: 'digits',
    pipeline_id: null,
    pipeline_version_id: null,
    recurring_run_id: null,
    namespace: '',
    archived: false,
    parameters: {},
    progress: { total: 3, running: 0, done: 3, failed: 0 },
    ...changes
  };
}

export const LOCAL: Connection = {
  name: 'local',
  kind: 'local',
  host: '',
  ui_host: '',
  namespace: '',
  sign_in: 'none',
  found: '',
  preferred: false,
  notice: '',
  state: 'ready',
  message: '',
  removable: false
};

export function makeRemote(changes: Partial<Connection> = {}): Connection {
  return {
    ...LOCAL,
    name: 'team',
    kind: 'kubeflow',
    host: 'https://team.example.org',
    sign_in: 'token',
    removable: true,
    ...changes
  };
}

export class FakeServer {
  runs: Run[] = [];
  connections: Connection[] = [LOCAL];
  namespaces: Namespaces = {
    namespaces: [],
    current: '',
    multi_user: false,
    message: ''
  };
  /** What was asked: `name(arguments)`. */
  readonly asked: string[] = [];
  private readonly _listeners: [Topic, IEventListener][] = [];

  readonly client = {
    connections: async () => this.connections,
    namespaces: async () => this.namespaces,
    chooseNamespace: async (name: string, namespace: string) => {
      this.asked.push(`namespace(${name}, ${namespace})`);
    },
    runs: async (_: string, query: RunQuery): Promise<RunPage> => {
      const start = Number(query.page_token || 0);
      const end = start + (query.page_size ?? 50);
      this.asked.push(`runs(${start})`);
      return {
        runs: this.runs.slice(start, end),
        next_page_token: end < this.runs.length ? String(end) : '',
        total_size: this.runs.length,
        note: ''
      };
    },
    terminate: async (_: string, id: string) => {
      this.asked.push(`terminate(${id})`);
    },
    deleteRun: async (_: string, id: string) => {
      this.asked.push(`delete(${id})`);
    }
  } as unknown as PipelinesClient;

  readonly events = {
    status: { state: 'open', reason: '' } as IEventsStatus,
    statusChanged: new Signal<object, IEventsStatus>({}),
    subscribe: (topic: Topic, listener: IEventListener) => {
      this._listeners.push([topic, listener]);
      return { isDisposed: false, dispose: () => undefined };
    }
  } as unknown as EventSocket;

  readonly service = new Pipelines(this.client, this.events);

  push(event: Partial<Event>): void {
    const whole: Event = {
      seq: 1,
      topic: 'runs',
      connection: 'local',
      run_id: '',
      task_id: '',
      runs: [],
      deleted: [],
      delta: null,
      log_size: null,
      attempt: null,
      connections: [],
      stale: null,
      ...event
    };
    this._listeners
      .filter(([topic]) => topic.topic === whole.topic)
      .forEach(([, listener]) => listener.onEvent(whole));
  }
}

/** Lets promises settle. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    await Promise.resolve();
  }
}
