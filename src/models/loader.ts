/** Runs a fetch once at a time: a call during one makes exactly one more follow it. */

export class Loader {
  /** `load` must handle its own errors; `signal` aborts when the loader is stopped. */
  constructor(private readonly load: (signal: AbortSignal) => Promise<void>) {}

  get isLoading(): boolean {
    return this._current !== null;
  }

  /** Resolves when what was current at the call, or newer, has been loaded. */
  run(): Promise<void> {
    if (this._abort.signal.aborted) {
      return Promise.resolve();
    }
    if (!this._current) {
      this._current = this.load(this._abort.signal).finally(() => {
        this._current = null;
      });
      return this._current;
    }
    if (!this._next) {
      this._next = this._current.then(() => {
        this._next = null;
        return this.run();
      });
    }
    return this._next;
  }

  stop(): void {
    this._abort.abort();
  }

  private readonly _abort = new AbortController();
  private _current: Promise<void> | null = null;
  private _next: Promise<void> | null = null;
}
