/** What a task, or a whole run, has to show: read when shown, again when artifacts appear. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { PipelinesClient } from '../api/client';
import { asRequestError, type RequestError } from '../api/request';
import type { Output } from '../api/types';
import { sameJson } from './equality';
import { Loader } from './loader';
import type { IRunChange, RunModel } from './run';
import { isFinal } from './states';

export class OutputsModel implements IDisposable {
  /** `taskId` null: all the run's outputs. */
  constructor(
    private readonly client: PipelinesClient,
    readonly run: RunModel,
    readonly taskId: string | null
  ) {
    run.changed.connect(this._onRun, this);
    void this.refresh();
  }

  /** Null until the first answer; an output that did not change stays the same object. */
  get outputs(): readonly Output[] | null {
    return this._outputs;
  }

  get error(): RequestError | null {
    return this._error;
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

  private _onRun(run: RunModel, change: IRunChange): void {
    const { taskId } = this;
    const ended = (id: string) => isFinal(run.tasks[id]?.state ?? 'PENDING');
    const news =
      taskId === null
        ? change.artifacts.length > 0 || change.tasks.some(ended)
        : change.artifacts.some(id => id.startsWith(`${taskId}:`)) ||
          (change.tasks.includes(taskId) && ended(taskId));
    if (news) {
      void this.refresh();
    }
  }

  private async _load(signal: AbortSignal): Promise<void> {
    const { connection, runId } = this.run;
    try {
      const outputs = await this.client.outputs(
        connection,
        runId,
        this.taskId ?? undefined,
        signal
      );
      this._set(outputs, null);
    } catch (reason) {
      if (!signal.aborted) {
        this._set(this._outputs, asRequestError(reason));
      }
    }
  }

  private _set(
    outputs: readonly Output[] | null,
    error: RequestError | null
  ): void {
    const before = new Map(this._outputs?.map(one => [one.id, one]));
    const kept = outputs?.map(one => {
      const old = before.get(one.id);
      return old && sameJson(old, one) ? old : one;
    });
    const same =
      kept?.length === this._outputs?.length &&
      (kept ?? []).every((one, i) => one === this._outputs?.[i]) &&
      error?.message === this._error?.message;
    this._outputs = kept ?? null;
    this._error = error;
    if (!same) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _loader = new Loader(signal => this._load(signal));
  private _outputs: readonly Output[] | null = null;
  private _error: RequestError | null = null;
  private _isDisposed = false;
}
