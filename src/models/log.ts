/** One attempt's log: its end first, then what is appended, read by byte offset. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { PipelinesClient } from '../api/client';
import type { EventSocket } from '../api/events';
import { asRequestError, type RequestError } from '../api/request';
import type { Event, LogChunk } from '../api/types';
import { Loader } from './loader';
import { LogLines } from './logLines';

/** Bytes of a first look: the end of a long log is what matters. */
const TAIL_BYTES = 1_000_000;

/** Bytes of one request. */
const CHUNK_BYTES = 1_000_000;

export class LogModel implements IDisposable {
  /** `attempt` null: the last one, whichever that will be. */
  constructor(
    private readonly client: PipelinesClient,
    events: EventSocket,
    readonly connection: string,
    readonly runId: string,
    readonly taskId: string,
    readonly attempt: number | null
  ) {
    this._subscription = events.subscribe(
      { topic: 'log', connection, run_id: runId, task_id: taskId, attempt },
      {
        onEvent: event => this._onEvent(event),
        onResync: () => void this.refresh()
      }
    );
    void this.refresh();
  }

  get lines(): readonly string[] {
    return this._text.lines;
  }

  /** Lines at the beginning that are no longer in memory. */
  get dropped(): number {
    return this._text.dropped;
  }

  /** Byte at which `lines` begins; above 0, `loadAll` reads what is before. */
  get start(): number {
    return this._start;
  }

  /** Bytes there are; null until the first answer. */
  get size(): number | null {
    return this._size;
  }

  /** The attempt is over and all of it has been read. */
  get isComplete(): boolean {
    return this._complete;
  }

  get isLoading(): boolean {
    return this._loader.isLoading;
  }

  get error(): RequestError | null {
    return this._error;
  }

  /** Why the log may be out of date, while the backend cannot be reached; else null. */
  get stale(): string | null {
    return this._stale;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Reads what has been appended. */
  refresh(): Promise<void> {
    return this._loader.run();
  }

  /** Reads from the beginning; what does not fit in memory is let go at the front. */
  loadAll(): Promise<void> {
    this._restart(0);
    return this.refresh();
  }

  /** Address for a download of all of it. */
  get url(): string {
    return this.client.logUrl(
      this.connection,
      this.runId,
      this.taskId,
      this.attempt
    );
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._subscription.dispose();
      this._loader.stop();
      Signal.clearData(this);
    }
  }

  private _restart(from: number | null): void {
    this._text.clear();
    this._next = from;
    this._start = from ?? 0;
    this._complete = false;
  }

  private _onEvent(event: Event): void {
    if (event.stale !== this._stale) {
      this._stale = event.stale;
      this._changed.emit();
    }
    const news = event.log_size !== null && event.log_size !== this._size;
    const another =
      this.attempt === null &&
      event.attempt !== null &&
      this._shown !== null &&
      event.attempt !== this._shown;
    if (another) {
      this._restart(null);
    }
    if (news || another) {
      void this.refresh();
    }
  }

  private async _load(signal: AbortSignal): Promise<void> {
    try {
      let more = true;
      while (more && !signal.aborted) {
        const from = this._next ?? (await this._findTail(signal));
        this._next = from;
        more = this._accept(await this._read(from, CHUNK_BYTES, signal), from);
      }
      this._error = null;
    } catch (reason) {
      if (signal.aborted) {
        return;
      }
      this._error = asRequestError(reason);
    }
    this._changed.emit();
  }

  private async _findTail(signal: AbortSignal): Promise<number> {
    const { size } = await this._read(0, 0, signal);
    this._start = Math.max(0, size - TAIL_BYTES);
    return this._start;
  }

  private _read(
    offset: number,
    limit: number,
    signal: AbortSignal
  ): Promise<LogChunk> {
    const { connection, runId, taskId, attempt } = this;
    const query = { attempt, offset, limit };
    return this.client.log(connection, runId, taskId, query, signal);
  }

  /** Returns whether there is more to read at once. */
  private _accept(chunk: LogChunk, from: number): boolean {
    if (this._next !== from) {
      return true; // restarted meanwhile
    }
    if (this._shown !== null && chunk.attempt !== this._shown) {
      this._shown = chunk.attempt;
      this._restart(null);
      this._next = 0;
      return true;
    }
    this._shown = chunk.attempt;
    this._size = chunk.size;
    if (chunk.size < from) {
      this._restart(0); // the file was replaced by a shorter one
      return true;
    }
    let text = chunk.text;
    if (from === this._start && from > 0) {
      // A tail begins in the middle of a line.
      text = text.slice(text.indexOf('\n') + 1);
    }
    if (text) {
      this._text.append(text);
    }
    this._next = chunk.next_offset;
    this._complete = chunk.complete;
    this._changed.emit();
    return chunk.next_offset > from && chunk.next_offset < chunk.size;
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _loader = new Loader(signal => this._load(signal));
  private readonly _text = new LogLines();
  private readonly _subscription: IDisposable;
  private _start = 0;
  private _next: number | null = null;
  private _size: number | null = null;
  private _shown: number | null = null;
  private _complete = false;
  private _error: RequestError | null = null;
  private _stale: string | null = null;
  private _isDisposed = false;
}
