/** A form over a draft: the draft says whether it can be sent, and sends itself. */
import { ReactWidget } from '@jupyterlab/apputils';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { Run } from '../../api/types';
import type { IFormBody } from '../formDialog';

/** What becomes a run once the user has filled it in. */
export interface IDraft extends IDisposable {
  readonly canRun: boolean;
  readonly isRunning: boolean;
  readonly changed: ISignal<unknown, void>;
  /** Null: it was refused, and the draft says why. */
  run(): Promise<Run | null>;
}

/** Shows `content`, which follows the draft by itself. The draft is disposed with the form. */
export class DraftForm extends ReactWidget implements IFormBody<Run> {
  constructor(
    private readonly draft: IDraft,
    private readonly content: JSX.Element
  ) {
    super();
    this.addClass('jp-PipelinesForm-body');
    draft.changed.connect(this._onChanged, this);
  }

  get canSubmit(): boolean {
    return this.draft.canRun;
  }

  get isBusy(): boolean {
    return this.draft.isRunning;
  }

  get stateChanged(): ISignal<this, void> {
    return this._stateChanged;
  }

  submit(): Promise<Run | null> {
    return this.draft.run();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.draft.dispose();
      Signal.clearData(this);
      super.dispose();
    }
  }

  protected override render(): JSX.Element {
    return this.content;
  }

  private _onChanged(): void {
    this._stateChanged.emit();
  }

  private readonly _stateChanged = new Signal<this, void>(this);
}
