/** One task of a run in detail: read when shown, read again when its status moves. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { PipelinesClient } from '../api/client';
import { asRequestError, type RequestError } from '../api/request';
import type { TaskDetail, TaskStatus } from '../api/types';
import { sameJson } from './equality';
import { Loader } from './loader';
import type { IRunChange, RunModel } from './run';

export class TaskModel implements IDisposable {
  constructor(
    private readonly client: PipelinesClient,
    readonly run: RunModel,
    readonly taskId: string
  ) {
    run.changed.connect(this._onRun, this);
    void this.refresh();
  }

  /** Null until the first answer. */
  get detail(): TaskDetail | null {
    return this._detail;
  }

  /** The live status; newer than the detail's own. */
  get status(): TaskStatus | null {
    return this.run.tasks[this.taskId] ?? this._detail?.status ?? null;
  }

  get error(): RequestError | null {
    return this._error;
  }

  get isLoading(): boolean {
    return this._loader.isLoading;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  refresh(): Promise<void> {
    return this._loader.run();
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this.run.changed.disconnect(this._onRun, this);
      this._loader.stop();
      Signal.clearData(this);
    }
  }

  private _onRun(_: RunModel, change: IRunChange): void {
    const concerned =
      change.tasks.includes(this.taskId) ||
      change.artifacts.some(id => id.startsWith(`${this.taskId}:`));
    if (concerned) {
      this._changed.emit();
      void this.refresh();
    }
  }

  private async _load(signal: AbortSignal): Promise<void> {
    const { connection, runId } = this.run;
    let detail = this._detail;
    let error: RequestError | null = null;
    try {
      detail = await this.client.task(connection, runId, this.taskId, signal);
    } catch (reason) {
      if (signal.aborted) {
        return;
      }
      error = asRequestError(reason);
    }
    const same =
      sameJson(detail, this._detail) && error?.message === this._error?.message;
    this._detail = detail;
    this._error = error;
    if (!same) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _loader = new Loader(signal => this._load(signal));
  private _detail: TaskDetail | null = null;
  private _error: RequestError | null = null;
  private _isDisposed = false;
}
