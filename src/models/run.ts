/** One run's live graph: fetched once, then moved by deltas; fetched again on a gap. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { PipelinesClient } from '../api/client';
import type { EventSocket } from '../api/events';
import { asRequestError, type RequestError } from '../api/request';
import type {
  ArtifactStatus,
  Event,
  GraphDelta,
  Run,
  RunGraph,
  TaskNode,
  TaskStatus,
  Topology
} from '../api/types';
import { sameJson } from './equality';
import { Loader } from './loader';

/** What differs from before; a listener may look at its own part only. */
export interface IRunChange {
  /** The shape: nodes and edges came or went. */
  topology: boolean;
  /** The run itself: state, times, name. */
  run: boolean;
  /** Ids of the tasks whose status differs. */
  tasks: readonly string[];
  /** Ids of the artifacts that came to exist or differ. */
  artifacts: readonly string[];
  /** `error`, `stale`, `deleted` or `isLoading`. */
  condition: boolean;
}

/** How well the model knows its run. */
interface ICondition {
  loading: boolean;
  error: RequestError | null;
  stale: string | null;
  deleted: boolean;
}

export class RunModel implements IDisposable {
  constructor(
    private readonly client: PipelinesClient,
    events: EventSocket,
    readonly connection: string,
    readonly runId: string
  ) {
    this._subscription = events.subscribe(
      { topic: 'run', connection, run_id: runId },
      {
        onEvent: event => this._onEvent(event),
        onResync: () => void this.refresh()
      }
    );
    void this.refresh();
  }

  /** Null until the first answer. */
  get run(): Run | null {
    return this._run;
  }

  /** What could not be read of the run, and why. */
  get notes(): readonly string[] {
    return this._notes;
  }

  get topology(): Topology | null {
    return this._topology;
  }

  get tasks(): Readonly<Record<string, TaskStatus>> {
    return this._tasks;
  }

  get artifacts(): Readonly<Record<string, ArtifactStatus>> {
    return this._artifacts;
  }

  get isLoading(): boolean {
    return this._condition.loading;
  }

  /** Why the last fetch failed; what was read before stays. */
  get error(): RequestError | null {
    return this._condition.error;
  }

  /** Why the states may be out of date, while the backend cannot be reached; else null. */
  get stale(): string | null {
    return this._condition.stale;
  }

  /** The run is gone: nothing more will come. */
  get deleted(): boolean {
    return this._condition.deleted;
  }

  get changed(): ISignal<this, IRunChange> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  node(taskId: string): TaskNode | null {
    return this._nodes.get(taskId) ?? null;
  }

  refresh(): Promise<void> {
    return this._loader.run();
  }

  /** Rejects with RequestError. */
  async terminate(): Promise<void> {
    await this.client.terminate(this.connection, this.runId);
    await this.refresh();
  }

  /** Runs again what failed or was cancelled. Rejects with RequestError. */
  async retry(): Promise<void> {
    await this.client.retry(this.connection, this.runId);
    await this.refresh();
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._subscription.dispose();
      this._loader.stop();
      Signal.clearData(this);
    }
  }

  private async _load(signal: AbortSignal): Promise<void> {
    this._know({ loading: true });
    try {
      const graph = await this.client.graph(
        this.connection,
        this.runId,
        signal
      );
      // A delta that arrived meanwhile is newer: the answer would go back in time.
      if (graph.revision >= this._revision) {
        this._replace(graph);
      }
      if (graph.revision < this._heard) {
        this._heard = -1;
        void this.refresh();
      }
      this._know({ error: null });
    } catch (reason) {
      if (!signal.aborted) {
        const error = asRequestError(reason);
        const deleted = error.status === 404 && error.code === 'NotFound';
        this._know({ error, deleted });
      }
    } finally {
      this._know({ loading: false });
    }
  }

  private _replace(graph: RunGraph): void {
    const topology = graph.topology.key !== this._topology?.key;
    if (topology) {
      this._topology = graph.topology;
      this._nodes = new Map(graph.topology.tasks.map(node => [node.id, node]));
    }
    this._revision = graph.revision;
    const tasks = differing(this._tasks, graph.tasks);
    const artifacts = differing(this._artifacts, graph.artifacts);
    this._tasks = merged(this._tasks, graph.tasks, true);
    this._artifacts = merged(this._artifacts, graph.artifacts, true);
    const notes = !sameJson(graph.notes, this._notes);
    this._notes = graph.notes;
    const run = this._setRun(graph.run) || notes;
    this._emit({ topology, run, tasks, artifacts });
  }

  private _onEvent(event: Event): void {
    this._know({
      stale: event.stale,
      deleted: this._condition.deleted || event.deleted.includes(this.runId)
    });
    if (event.delta) {
      this._apply(event.delta);
    }
  }

  private _apply(delta: GraphDelta): void {
    if (!this._topology) {
      // The first fetch is under way; it brings all of it, or is older and is made again.
      this._heard = Math.max(this._heard, delta.revision);
      return;
    }
    if (delta.revision <= this._revision) {
      return;
    }
    const moved = delta.topology_key !== this._topology.key;
    if (moved || delta.base_revision > this._revision) {
      this._emit({ run: this._setRun(delta.run) });
      void this.refresh();
      return;
    }
    this._revision = delta.revision;
    const tasks = differing(this._tasks, delta.tasks);
    const artifacts = differing(this._artifacts, delta.artifacts);
    this._tasks = merged(this._tasks, delta.tasks, false);
    this._artifacts = merged(this._artifacts, delta.artifacts, false);
    this._emit({ run: this._setRun(delta.run), tasks, artifacts });
  }

  private _know(news: Partial<ICondition>): void {
    const known = { ...this._condition, ...news };
    const keys = Object.keys(known) as (keyof ICondition)[];
    const condition = keys.some(key => known[key] !== this._condition[key]);
    this._condition = known;
    this._emit({ condition });
  }

  private _setRun(run: Run): boolean {
    if (sameJson(run, this._run)) {
      return false;
    }
    this._run = run;
    return true;
  }

  private _emit(change: Partial<IRunChange>): void {
    const full: IRunChange = {
      topology: false,
      run: false,
      tasks: [],
      artifacts: [],
      condition: false,
      ...change
    };
    const any =
      full.topology ||
      full.run ||
      full.condition ||
      full.tasks.length > 0 ||
      full.artifacts.length > 0;
    if (any && !this._isDisposed) {
      this._changed.emit(full);
    }
  }

  private readonly _changed = new Signal<this, IRunChange>(this);
  private readonly _loader = new Loader(signal => this._load(signal));
  private readonly _subscription: IDisposable;
  private _run: Run | null = null;
  private _topology: Topology | null = null;
  private _nodes = new Map<string, TaskNode>();
  private _tasks: Record<string, TaskStatus> = {};
  private _artifacts: Record<string, ArtifactStatus> = {};
  private _notes: readonly string[] = [];
  private _revision = -1;
  /** The newest revision told of before there was a graph to apply it to. */
  private _heard = -1;
  private _condition: ICondition = {
    loading: false,
    error: null,
    stale: null,
    deleted: false
  };
  private _isDisposed = false;
}

function differing<T>(before: Record<string, T>, now: Record<string, T>) {
  return Object.keys(now).filter(id => !sameJson(before[id], now[id]));
}

/** The new record, with the old objects where they are equal: a memo compares by identity. */
function merged<T>(
  before: Record<string, T>,
  now: Record<string, T>,
  whole: boolean
): Record<string, T> {
  const result: Record<string, T> = whole ? {} : { ...before };
  for (const [id, value] of Object.entries(now)) {
    result[id] = sameJson(before[id], value) ? before[id] : value;
  }
  return result;
}
