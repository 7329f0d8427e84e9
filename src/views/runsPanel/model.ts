/** What the panel shows: which connection, and which of its runs are selected. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { RequestError } from '../../api/request';
import type { Connection, Run, RunQuery } from '../../api/types';
import type { RunsModel } from '../../models/runs';
import type { IPipelines } from '../../tokens';
import {
  neighbour,
  NOTHING,
  prune,
  select,
  type ISelection,
  type SelectMode
} from './selection';

/** The connection that always exists. */
const LOCAL = 'local';

/** What the server reads at once unless told. */
const DEFAULT_PAGE = 50;

/** Milliseconds that the panel waits for the connections before it shows the one of this machine. */
const PATIENCE_MS = 1500;

/** Errors that are the connection's, not the list's. */
const REFUSALS: ReadonlySet<string> = new Set(['SignInNeeded', 'Forbidden']);

export class RunsPanelModel implements IDisposable {
  /** `restored` resolves when the connection chosen in an earlier session was chosen again. */
  constructor(
    readonly service: IPipelines,
    private readonly restored: Promise<void> = Promise.resolve()
  ) {
    this._runs = service.runs(LOCAL);
    this._runs.changed.connect(this._onRunsChanged, this);
    service.connections.changed.connect(this._onConnectionsChanged, this);
  }

  get runs(): RunsModel {
    return this._runs;
  }

  get connection(): string {
    return this._runs.connection;
  }

  /** Whether the user chose the connection; else it is the one that the server prefers. */
  get isChosen(): boolean {
    return this._isChosen;
  }

  get selection(): ISelection {
    return this._selection;
  }

  /** The selected runs, in the list's order. */
  get selectedRuns(): Run[] {
    return (this._runs.runs ?? []).filter(run =>
      this._selection.ids.has(run.run_id)
    );
  }

  /** Another connection or another selection; the runs have a signal of their own. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Shows a connection's runs, from now on whatever else is found. */
  choose(connection: string): void {
    const chosen = this._isChosen;
    this._isChosen = true;
    if (connection !== this.connection) {
      this._show(connection);
    } else if (!chosen) {
      this._changed.emit();
    }
  }

  /** The connection, once it is known what the user chose, else what the server prefers. */
  async settled(): Promise<string> {
    const connections = this.service.connections.start();
    await this.restored;
    if (!this._isChosen) {
      await soon(connections, PATIENCE_MS);
      this._onConnectionsChanged();
    }
    return this.connection;
  }

  /** How many runs are read at once. */
  setPageSize(size: number): void {
    this._pageSize = size;
    if (this._watch) {
      this._applyPageSize();
    }
  }

  /** Reads and listens only while somebody looks. */
  setVisible(visible: boolean): void {
    this._isVisible = visible;
    if (visible) {
      void this._begin();
    } else {
      this._watch?.dispose();
      this._watch = null;
    }
  }

  setQuery(change: Partial<RunQuery>): void {
    void this._runs.setQuery(change);
  }

  select(runId: string, mode: SelectMode): void {
    this._setSelection(select(this._selection, this._order(), runId, mode));
  }

  selectAll(): void {
    const order = this._order();
    this._setSelection({ ...this._selection, ids: new Set(order) });
  }

  clearSelection(): void {
    this._setSelection({ ...this._selection, ids: new Set() });
  }

  /** Moves the selection as a navigation key asks; false where the key is none. */
  navigate(key: string, extend: boolean, page: number): boolean {
    const to = neighbour(this._order(), this._selection.active, key, page);
    if (to !== null) {
      this.select(to, extend ? 'range' : 'one');
    }
    return to !== null;
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._watch?.dispose();
      this._runs.changed.disconnect(this._onRunsChanged, this);
      this.service.connections.changed.disconnect(
        this._onConnectionsChanged,
        this
      );
      Signal.clearData(this);
    }
  }

  private _show(connection: string): void {
    this._runs.changed.disconnect(this._onRunsChanged, this);
    this._runs = this.service.runs(connection);
    this._runs.changed.connect(this._onRunsChanged, this);
    this._selection = NOTHING;
    this._refused = null;
    this._seen = this.service.connections.find(connection);
    if (this._watch) {
      this._watch.dispose();
      this._startWatching();
    }
    this._changed.emit();
  }

  /** Watches once it is known which connection the user wants to see. */
  private async _begin(): Promise<void> {
    await this.settled();
    if (this._isVisible && !this._watch && !this._isDisposed) {
      this._startWatching();
    }
  }

  private _startWatching(): void {
    this._applyPageSize();
    this._watch = this._runs.watch();
  }

  private _order(): string[] {
    return (this._runs.runs ?? []).map(run => run.run_id);
  }

  private _onRunsChanged(): void {
    const { error } = this._runs;
    if (error && REFUSALS.has(error.code) && error !== this._refused) {
      // The connection's own state says what to do about it.
      void this.service.connections.refresh();
    }
    this._refused = error;
    // While a new query loads there is no list: what is selected may be in the next one.
    if (this._runs.runs) {
      this._setSelection(prune(this._selection, this._order()));
    }
  }

  /** Where the user chose none, or one that was removed, the preferred one is shown. */
  private _onConnectionsChanged(): void {
    const { connections } = this.service.connections;
    if (!connections) {
      return;
    }
    if (!this.service.connections.find(this.connection)) {
      this._isChosen = false;
    }
    if (!this._isChosen) {
      const wanted = connections.find(one => one.preferred)?.name ?? LOCAL;
      if (wanted !== this.connection) {
        this._show(wanted);
      }
    }
    this._readAgain();
  }

  /** Reads a list that failed once its connection has become ready; a new namespace has its own. */
  private _readAgain(): void {
    const before = this._seen;
    const now = (this._seen = this.service.connections.find(this.connection));
    const recovered =
      before !== null &&
      before.state !== 'ready' &&
      now?.state === 'ready' &&
      now.namespace === before.namespace;
    if (recovered && this._watch && this._refused) {
      void this._runs.refresh();
    }
  }

  private _applyPageSize(): void {
    if (this._pageSize !== (this._runs.query.page_size ?? DEFAULT_PAGE)) {
      void this._runs.setQuery({ page_size: this._pageSize });
    }
  }

  private _setSelection(selection: ISelection): void {
    if (selection !== this._selection) {
      this._selection = selection;
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _runs: RunsModel;
  private _selection: ISelection = NOTHING;
  private _watch: IDisposable | null = null;
  private _pageSize = DEFAULT_PAGE;
  private _refused: RequestError | null = null;
  private _seen: Connection | null = null;
  private _isVisible = false;
  private _isChosen = false;
  private _isDisposed = false;
}

/** Resolves with the promise, or after so many milliseconds. */
async function soon(promise: Promise<void>, limit: number): Promise<void> {
  let timer = 0;
  const late = new Promise<void>(resolve => {
    timer = window.setTimeout(resolve, limit);
  });
  await Promise.race([promise, late]);
  window.clearTimeout(timer);
}
