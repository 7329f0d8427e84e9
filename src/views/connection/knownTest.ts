/** The test of a connection as the server has it: under way, or what it found. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { asRequestError, type RequestError } from '../../api/request';
import type { ConnectionTest } from '../../api/types';
import type { ConnectionsModel } from '../../models/connections';
import type { ITest } from './testSection';

export class KnownTest implements ITest, IDisposable {
  constructor(
    private readonly connections: ConnectionsModel,
    private readonly name: string
  ) {}

  /** Nothing can be changed while one looks at it. */
  readonly isStale = false;

  get report(): ConnectionTest | null {
    return this._report;
  }

  /** Why there was no test; what was found before stays. */
  get error(): RequestError | null {
    return this._error;
  }

  get isTesting(): boolean {
    return this._abort !== null;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Never rejects. */
  async test(): Promise<void> {
    const abort = (this._abort = new AbortController());
    this._error = null;
    this._changed.emit();
    try {
      const { signal } = abort;
      const report = await this.connections.testKnown(this.name, signal);
      this._settle(abort, () => (this._report = report));
    } catch (error) {
      this._settle(abort, () => (this._error = asRequestError(error)));
    }
  }

  /** Gives the test up. */
  cancelTest(): void {
    this._abort?.abort();
    this._abort = null;
    this._changed.emit();
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._abort?.abort();
      Signal.clearData(this);
    }
  }

  private _settle(abort: AbortController, apply: () => void): void {
    if (!abort.signal.aborted) {
      this._abort = null;
      apply();
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _report: ConnectionTest | null = null;
  private _error: RequestError | null = null;
  private _abort: AbortController | null = null;
  private _isDisposed = false;
}
