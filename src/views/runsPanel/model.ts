/** What the panel shows: which connection, and which of its runs are selected. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { Run, RunQuery } from '../../api/types';
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

export class RunsPanelModel implements IDisposable {
  constructor(readonly service: IPipelines) {
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

  /** Shows another connection's runs. */
  choose(connection: string): void {
    if (connection === this.connection) {
      return;
    }
    this._runs.changed.disconnect(this._onRunsChanged, this);
    this._runs = this.service.runs(connection);
    this._runs.changed.connect(this._onRunsChanged, this);
    this._selection = NOTHING;
    if (this._watch) {
      this._watch.dispose();
      this._applyPageSize();
      this._watch = this._runs.watch();
    }
    this._changed.emit();
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
    if (visible && !this._watch) {
      this.service.connections.start();
      this._applyPageSize();
      this._watch = this._runs.watch();
    } else if (!visible) {
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

  private _order(): string[] {
    return (this._runs.runs ?? []).map(run => run.run_id);
  }

  private _onRunsChanged(): void {
    // While a new query loads there is no list: what is selected may be in the next one.
    if (this._runs.runs) {
      this._setSelection(prune(this._selection, this._order()));
    }
  }

  /** A connection that was removed leaves its place to the one that always exists. */
  private _onConnectionsChanged(): void {
    const { connections } = this.service.connections;
    if (connections && !this.service.connections.find(this.connection)) {
      this.choose(LOCAL);
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
  private _isDisposed = false;
}
