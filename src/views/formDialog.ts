/** A dialog that stays open until its form was accepted, so that an error loses nothing. */
import { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

/** What a form must tell its dialog. */
export interface IFormBody<T> extends Widget {
  /** Everything needed is there, and nothing is under way. */
  readonly canSubmit: boolean;
  /** It was submitted and the answer is not there yet. */
  readonly isBusy: boolean;
  readonly stateChanged: ISignal<unknown, void>;
  /** Sends the form. Null: it was refused, and the form shows why. Never rejects. */
  submit(): Promise<T | null>;
}

export interface IFormDialogOptions<T> {
  title: string;
  body: IFormBody<T>;
  /** Word on the accepting button, and while the form is on its way. */
  accept: string;
  busy: string;
  /** Selector of the part that gets the focus first. */
  focus?: string;
  className?: string;
  trans: TranslationBundle;
}

/** Keys in these parts of a form are theirs: Enter must not send the form. */
const KEEPS_ENTER = 'textarea, button, select, .cm-editor, [data-keeps-enter]';

export class FormDialog<T> extends Dialog<unknown> {
  constructor(private readonly form: IFormDialogOptions<T>) {
    super({
      title: form.title,
      body: form.body,
      hasClose: true,
      focusNodeSelector: form.focus,
      buttons: [
        Dialog.cancelButton({ label: form.trans.__('Cancel') }),
        Dialog.okButton({ label: form.accept })
      ]
    });
    this.addClass('jp-PipelinesForm');
    if (form.className) {
      this.addClass(form.className);
    }
    form.body.stateChanged.connect(this._updateButton, this);
    this._updateButton();
  }

  /** Shows the dialog; what the form was answered with, or null where the user cancelled. */
  async ask(): Promise<T | null> {
    await this.launch();
    return this._result;
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.form.body.stateChanged.disconnect(this._updateButton, this);
      super.dispose();
    }
  }

  /** The accepting button sends the form; the dialog closes only when that succeeded. */
  override resolve(index: number = ACCEPT): void {
    if (index !== ACCEPT) {
      super.resolve(index);
    } else if (this.form.body.canSubmit) {
      void this.form.body.submit().then(result => {
        if (result !== null && !this.isDisposed) {
          this._result = result;
          super.resolve(index);
        }
      });
    }
  }

  protected override _evtKeydown(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (event.key !== 'Enter' || !target.closest('.jp-Dialog-body')) {
      super._evtKeydown(event);
    } else if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      event.stopPropagation();
      this.resolve();
    } else if (!target.closest(KEEPS_ENTER)) {
      super._evtKeydown(event);
    }
  }

  /** What takes the focus away gives it back to where the user was, not to the first field. */
  protected override _evtFocus(event: FocusEvent): void {
    const target = event.target as HTMLElement;
    if (this.node.contains(target)) {
      this._focused = target;
    } else if (this._focused && this.node.contains(this._focused)) {
      event.stopPropagation();
      this._focused.focus();
    } else {
      super._evtFocus(event);
    }
  }

  private _updateButton(): void {
    const { body, accept, busy } = this.form;
    const button = this.node.querySelector<HTMLButtonElement>(
      '.jp-Dialog-footer .jp-mod-accept'
    );
    if (button) {
      button.disabled = !body.canSubmit;
      const label = button.querySelector('.jp-Dialog-buttonLabel') ?? button;
      label.textContent = body.isBusy ? busy : accept;
    }
  }

  private _result: T | null = null;
  private _focused: HTMLElement | null = null;
}

/** The accepting button's place. */
const ACCEPT = 1;
