/** Runs, graphs and a client for the tests of the models. */
import type { PipelinesClient } from '../../api/client';
import { EventSocket } from '../../api/events';
import { fakeSettings } from '../../api/__tests__/fakeSocket';
import type {
  GraphDelta,
  Run,
  RunGraph,
  State,
  TaskStatus
} from '../../api/types';
import { digits } from '../../graph/__tests__/topologies';

export function run(id: string, change: Partial<Run> = {}): Run {
  return {
    run_id: id,
    display_name: `run ${id}`,
    state: 'RUNNING',
    description: '',
    created_at: '2026-05-01T10:00:00Z',
    scheduled_at: null,
    started_at: '2026-05-01T10:00:01Z',
    finished_at: null,
    error: null,
    experiment_id: '',
    pipeline_name: 'digits',
    pipeline_id: null,
    pipeline_version_id: null,
    recurring_run_id: null,
    namespace: '',
    archived: false,
    parameters: {},
    progress: null,
    ...change
  };
}

export function status(
  state: State,
  change: Partial<TaskStatus> = {}
): TaskStatus {
  return {
    state,
    created_at: null,
    started_at: null,
    finished_at: null,
    error: null,
    attempts: [],
    cached_from: null,
    ...change
  };
}

export function graph(change: Partial<RunGraph> = {}): RunGraph {
  return {
    run: run('r1'),
    topology: digits(),
    tasks: {
      load: status('SUCCEEDED'),
      train: status('RUNNING'),
      evaluate: status('PENDING')
    },
    artifacts: {},
    revision: 5,
    notes: [],
    ...change
  };
}

export function delta(change: Partial<GraphDelta> = {}): GraphDelta {
  return {
    run: run('r1'),
    base_revision: 5,
    revision: 6,
    topology_key: 'key',
    tasks: {},
    artifacts: {},
    ...change
  };
}

/** A client of which only the given methods exist. */
export function client(methods: Partial<PipelinesClient>): PipelinesClient {
  return methods as PipelinesClient;
}

export function socket(): EventSocket {
  return new EventSocket({ settings: fakeSettings() });
}

/** Lets promises that are already resolved take effect. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 12; i++) {
    await Promise.resolve();
  }
}
