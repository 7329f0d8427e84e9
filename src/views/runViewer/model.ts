/** What one run viewer shows: its run, the drawing and its layout, and what the user chose. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import {
  build,
  expandedByDefault,
  Scopes,
  type IBuildOptions
} from '../../graph/build';
import type { Layouts } from '../../graph/layouts';
import type { IDrawing, IDrawNode, ILayout } from '../../graph/model';
import { OutputsModel } from '../../models/outputs';
import type { IRunChange, RunModel } from '../../models/run';
import { TaskModel } from '../../models/task';
import type { IModelReference, IPipelines } from '../../tokens';

export type Tab = 'overview' | 'io' | 'logs' | 'outputs' | 'code';

/** A drawing with its layout: they belong together and change together. */
export interface IPicture {
  drawing: IDrawing;
  layout: ILayout;
  nodes: ReadonlyMap<string, IDrawNode>;
  /** The node the user turned, which should stay where it is on the screen. */
  anchor: string | null;
}

export class ViewerModel implements IDisposable {
  constructor(
    readonly pipelines: IPipelines,
    readonly connection: string,
    readonly runId: string,
    private readonly layouts: Layouts
  ) {
    this._reference = pipelines.run(connection, runId);
    this.run.changed.connect(this._onRun, this);
    this.outputs = new OutputsModel(pipelines.client, this.run, null);
    this._adopt();
  }

  /** All the run's outputs. */
  readonly outputs: OutputsModel;

  get run(): RunModel {
    return this._reference.model;
  }

  get scopes(): Scopes | null {
    return this._scopes;
  }

  /** Null until the first layout is there. */
  get picture(): IPicture | null {
    return this._picture;
  }

  /** Why there is no layout; empty when there is, or will be. */
  get problem(): string {
    return this._problem;
  }

  /** Id of the selected task or artifact. */
  get selected(): string | null {
    return this._selected;
  }

  /** Details of the selected task; null where none, or an artifact, is selected. */
  get task(): TaskModel | null {
    return this._task;
  }

  /** Outputs of the selected task. */
  get taskOutputs(): OutputsModel | null {
    return this._taskOutputs;
  }

  get tab(): Tab {
    return this._tab;
  }

  get showArtifacts(): boolean {
    return this._showArtifacts;
  }

  get panelOpen(): boolean {
    return this._panelOpen;
  }

  /** Selection, tab, panel, picture. The run's own changes come from `run.changed`. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** A node that the graph should bring into view. */
  get revealed(): ISignal<this, string> {
    return this._revealed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Selects a task or an artifact; null shows the run. */
  select(id: string | null, tab?: Tab): void {
    if (tab) {
      this._tab = tab;
    }
    if (id !== this._selected) {
      this._selected = id;
      this._dropTask();
      if (id !== null && this.run.node(id)) {
        this._task = new TaskModel(this.pipelines.client, this.run, id);
        this._taskOutputs = new OutputsModel(
          this.pipelines.client,
          this.run,
          id
        );
      }
    }
    if (id !== null) {
      this._panelOpen = true;
    }
    this._changed.emit();
  }

  /** Selects a node, opens the groups around it and brings it into view. */
  reveal(id: string, tab?: Tab): void {
    const scopes = this._scopes;
    if (!scopes) {
      this._pending = id;
      return;
    }
    const artifact = scopes.topology.artifacts.find(one => one.id === id);
    if (artifact) {
      this._showArtifacts = true;
    }
    const inner = artifact ? scopes.scopeOf(artifact) : id;
    const around = scopes.ancestors(inner);
    if (artifact && inner !== null) {
      around.push(inner);
    }
    around
      .filter(group => !this.isExpanded(group))
      .forEach(group => this._flip(group));
    this.select(id, tab);
    void this._draw(null).then(() => {
      if (!this._isDisposed) {
        this._revealed.emit(id);
      }
    });
  }

  setTab(tab: Tab): void {
    this._tab = tab;
    this._changed.emit();
  }

  setPanelOpen(open: boolean): void {
    this._panelOpen = open;
    this._changed.emit();
  }

  setShowArtifacts(show: boolean): void {
    this._showArtifacts = show;
    void this._draw(null);
  }

  isExpanded(group: string): boolean {
    const task = this.run.node(group);
    return (
      task !== null && expandedByDefault(task) !== this._toggled.has(group)
    );
  }

  /** Opens or closes a group. */
  toggle(group: string): void {
    if (this._scopes?.holders.has(group)) {
      this._flip(group);
      void this._draw(group);
    }
  }

  setAllExpanded(expanded: boolean): void {
    for (const group of this._scopes?.holders ?? []) {
      if (this.isExpanded(group) !== expanded) {
        this._flip(group);
      }
    }
    void this._draw(null);
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this.run.changed.disconnect(this._onRun, this);
    this._dropTask();
    this.outputs.dispose();
    this._reference.dispose();
    Signal.clearData(this);
  }

  private _onRun(_: RunModel, change: IRunChange): void {
    if (change.topology) {
      this._adopt();
    }
  }

  private _adopt(): void {
    const { topology } = this.run;
    if (topology && topology !== this._scopes?.topology) {
      this._scopes = new Scopes(topology);
      const pending = this._pending;
      this._pending = null;
      if (pending !== null) {
        this.reveal(pending);
      } else {
        void this._draw(null);
      }
    }
  }

  private _flip(group: string): void {
    const toggled = new Set(this._toggled);
    if (!toggled.delete(group)) {
      toggled.add(group);
    }
    this._toggled = toggled;
  }

  /** Builds and lays out; keeps the old picture until the new one is ready. */
  private async _draw(anchor: string | null): Promise<void> {
    const scopes = this._scopes;
    if (!scopes) {
      return;
    }
    const options: IBuildOptions = {
      toggled: this._toggled,
      showArtifacts: this._showArtifacts
    };
    const drawing = build(scopes, options);
    const round = ++this._round;
    try {
      const ready = this.layouts.peek(drawing);
      const layout = ready ?? (await this.layouts.get(drawing));
      if (round === this._round && !this._isDisposed) {
        const nodes = new Map(drawing.nodes.map(node => [node.id, node]));
        this._picture = { drawing, layout, nodes, anchor };
        this._problem = '';
      }
    } catch (error) {
      this._problem = String(error);
    }
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private _dropTask(): void {
    this._task?.dispose();
    this._taskOutputs?.dispose();
    this._task = null;
    this._taskOutputs = null;
  }

  private readonly _reference: IModelReference<RunModel>;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _revealed = new Signal<this, string>(this);
  private _scopes: Scopes | null = null;
  private _picture: IPicture | null = null;
  private _problem = '';
  private _toggled: ReadonlySet<string> = new Set();
  private _showArtifacts = true;
  private _selected: string | null = null;
  private _task: TaskModel | null = null;
  private _taskOutputs: OutputsModel | null = null;
  private _tab: Tab = 'overview';
  private _panelOpen = true;
  private _pending: string | null = null;
  private _round = 0;
  private _isDisposed = false;
}
