/** The live list of one connection's runs: pages, filters, and what the server pushes. */
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { PipelinesClient } from '../api/client';
import type { EventSocket } from '../api/events';
import { asRequestError, type RequestError } from '../api/request';
import type { Event, Run, RunPage, RunQuery } from '../api/types';
import { sameJson } from './equality';
import { Loader } from './loader';
import { comparator, matches } from './runQuery';

/** The server's bound on a page. */
const MAX_PAGE = 200;

export class RunsModel implements IDisposable {
  constructor(
    private readonly client: PipelinesClient,
    private readonly events: EventSocket,
    readonly connection: string
  ) {}

  /** In the query's order; null until the first answer. */
  get runs(): readonly Run[] | null {
    return this._runs;
  }

  get query(): Readonly<RunQuery> {
    return this._query;
  }

  get hasMore(): boolean {
    return this._nextPage !== '';
  }

  get totalSize(): number | null {
    return this._totalSize;
  }

  /** What the list does not hold yet, and what to do about it; else empty. */
  get note(): string {
    return this._note;
  }

  get isLoading(): boolean {
    return this._loading;
  }

  /** Why the last request failed; what is shown meanwhile is the last good list. */
  get error(): RequestError | null {
    return this._error;
  }

  /** Why the list may be out of date, while the backend cannot be reached; else null. */
  get stale(): string | null {
    return this._stale;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Listens and loads until the returned object is disposed; holders are counted. */
  watch(): IDisposable {
    if (this._watchers === 0) {
      this._subscription = this.events.subscribe(
        { topic: 'runs', connection: this.connection },
        {
          onEvent: event => this._onEvent(event),
          onResync: () => void this.refresh()
        }
      );
      void this.refresh();
    }
    this._watchers += 1;
    return new DisposableDelegate(() => {
      this._watchers -= 1;
      if (this._watchers === 0) {
        this._subscription?.dispose();
        this._subscription = null;
      }
    });
  }

  /** Narrows or sorts the list; loads its first page. */
  setQuery(change: Partial<RunQuery>): Promise<void> {
    const query = { ...this._query, ...change };
    if (sameJson(query, this._query)) {
      return Promise.resolve();
    }
    this._query = query;
    return this.restart();
  }

  /** Forgets the list, as that of another query or namespace, and reads its first page. */
  restart(): Promise<void> {
    this._generation += 1;
    this._change(() => {
      this._runs = null;
      this._nextPage = '';
      this._error = null;
    });
    return this.refresh();
  }

  /** Reads again as many runs as are shown. */
  refresh(): Promise<void> {
    return this._loader.run();
  }

  async loadMore(): Promise<void> {
    if (!this._nextPage || this._loading) {
      return;
    }
    await this._request(this._nextPage, undefined, page => {
      const known = new Set(this._runs?.map(run => run.run_id));
      const fresh = page.runs.filter(run => !known.has(run.run_id));
      return [...(this._runs ?? []), ...fresh];
    });
  }

  /** Stops a run. Rejects with RequestError. */
  async terminate(runId: string): Promise<void> {
    await this.client.terminate(this.connection, runId);
    await this.refresh();
  }

  /** Runs again what failed. Rejects with RequestError. */
  async retry(runId: string): Promise<void> {
    await this.client.retry(this.connection, runId);
    await this.refresh();
  }

  /** Rejects with RequestError. */
  async delete(runId: string): Promise<void> {
    await this.client.deleteRun(this.connection, runId);
    this._change(() => {
      this._runs = this._runs?.filter(run => run.run_id !== runId) ?? null;
    });
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._subscription?.dispose();
      this._loader.stop();
      Signal.clearData(this);
    }
  }

  private async _reload(signal: AbortSignal): Promise<void> {
    const wanted = Math.min(
      MAX_PAGE,
      Math.max(this._query.page_size ?? 50, this._runs?.length ?? 0)
    );
    await this._request('', { page_size: wanted, signal }, page => page.runs);
  }

  private async _request(
    pageToken: string,
    options: { page_size?: number; signal?: AbortSignal } | undefined,
    merge: (page: RunPage) => Run[]
  ): Promise<void> {
    const generation = this._generation;
    const { signal, ...size } = options ?? {};
    this._change(() => {
      this._loading = true;
    });
    try {
      const query = { ...this._query, ...size, page_token: pageToken };
      const page = await this.client.runs(this.connection, query, signal);
      if (generation === this._generation) {
        this._change(() => this._accept(page, merge(page)));
      }
    } catch (error) {
      if (!signal?.aborted && generation === this._generation) {
        this._change(() => {
          this._error = asRequestError(error);
        });
      }
    } finally {
      this._change(() => {
        this._loading = false;
      });
    }
  }

  private _accept(page: RunPage, runs: Run[]): void {
    this._error = null;
    if (!sameJson(runs, this._runs)) {
      this._runs = runs;
    }
    this._nextPage = page.next_page_token;
    this._totalSize = page.total_size;
    this._note = page.note;
  }

  private _onEvent(event: Event): void {
    this._change(() => {
      this._stale = event.stale;
      if (!event.runs.length && !event.deleted.length) {
        return;
      }
      const order = comparator(this._query);
      const gone = new Set(event.deleted);
      event.runs.forEach(run => gone.add(run.run_id));
      const kept = (this._runs ?? []).filter(run => !gone.has(run.run_id));
      const last = this.hasMore ? kept[kept.length - 1] : undefined;
      // Beyond the last loaded run is the next page's business.
      const placed = event.runs.filter(
        run => matches(run, this._query) && (!last || order(run, last) < 0)
      );
      const runs = [...kept, ...placed].sort(order);
      if (this._runs && !sameJson(runs, this._runs)) {
        this._runs = runs;
      }
    });
  }

  /** Applies a change and signals it where anything visible differs. */
  private _change(apply: () => void): void {
    const seen = () => [
      this._runs,
      this._nextPage,
      this._loading,
      this._error,
      this._stale,
      this._totalSize,
      this._note
    ];
    const before = seen();
    apply();
    if (!this._isDisposed && seen().some((one, i) => one !== before[i])) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _loader = new Loader(signal => this._reload(signal));
  private _query: RunQuery = {};
  private _generation = 0;
  private _runs: readonly Run[] | null = null;
  private _nextPage = '';
  private _totalSize: number | null = null;
  private _note = '';
  private _loading = false;
  private _error: RequestError | null = null;
  private _stale: string | null = null;
  private _subscription: IDisposable | null = null;
  private _watchers = 0;
  private _isDisposed = false;
}
