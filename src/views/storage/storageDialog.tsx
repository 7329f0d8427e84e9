/** The dialog that shows what runs take on disk, and frees it by age or by size. */
import { ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal, type ISignal } from '@lumino/signaling';
import React from 'react';
import type { Cleaned, Cleaning } from '../../api/types';
import type { StorageModel } from '../../models/storage';
import { formatBytes } from '../bytes';
import { SelectField } from '../fields';
import { FormDialog, type IFormBody } from '../formDialog';
import { Message } from '../message';
import { Environments, Parts } from './parts';

const GB = 1e9;
/** What may go, in the order of the choices; the first is what is proposed. */
const CHOICES: readonly Cleaning[] = [
  { older_than_days: 30 },
  { older_than_days: 7 },
  { older_than_days: 1 },
  { keep_bytes: 50 * GB },
  { keep_bytes: 10 * GB },
  { keep_bytes: GB },
  { keep_bytes: 0 }
];

/** Shows the dialog; what was removed, or null where nothing was. */
export async function showStorage(
  model: StorageModel,
  trans: TranslationBundle
): Promise<Cleaned | null> {
  // eslint-disable-next-line jupyter/require-disposable-ownership -- a dialog disposes itself
  const dialog = new FormDialog<Cleaned>({
    title: trans.__('Disk use of runs'),
    body: new StorageForm(model, trans),
    accept: trans.__('Free disk'),
    busy: trans.__('Removing…'),
    focus: 'select',
    className: 'jp-PipelinesStorage',
    trans
  });
  try {
    return await dialog.ask();
  } finally {
    model.dispose();
  }
}

class StorageForm extends ReactWidget implements IFormBody<Cleaned> {
  constructor(
    private readonly model: StorageModel,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-PipelinesForm-body');
    model.changed.connect(this._onChanged, this);
    void model.refresh();
    void model.ask(CHOICES[0]);
  }

  get canSubmit(): boolean {
    return !this.isBusy && !!this.model.preview?.items.length;
  }

  get isBusy(): boolean {
    return this.model.isCleaning;
  }

  get stateChanged(): ISignal<this, void> {
    return this._stateChanged;
  }

  submit(): Promise<Cleaned | null> {
    return this.model.clean();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.model.changed.disconnect(this._onChanged, this);
      Signal.clearData(this);
      super.dispose();
    }
  }

  protected override render(): JSX.Element {
    const { model, trans } = this;
    const { storage, error } = model;
    return (
      <>
        {storage ? (
          <Parts storage={storage} trans={trans} />
        ) : (
          !error && (
            <p className="jp-mod-quiet" role="status">
              {trans.__('Counting the files…')}
            </p>
          )
        )}
        <SelectField
          label={trans.__('Free disk by removing')}
          hint={trans.__(
            'Runs that ended, and environments that no run uses. An active run always stays.'
          )}
          value={String(this._choice)}
          options={CHOICES.map((choice, index) => ({
            value: String(index),
            label: choiceText(choice, trans)
          }))}
          onChange={value => {
            this._choice = Number(value);
            void model.ask(CHOICES[this._choice]);
          }}
        />
        {error ? (
          <Message
            kind="error"
            message={error.message}
            nextStep={error.nextStep}
          />
        ) : (
          <p className="jp-PipelinesStorage-preview" role="status">
            {previewText(model.preview, trans)}
          </p>
        )}
        {storage && <Environments list={storage.environments} trans={trans} />}
      </>
    );
  }

  private _onChanged(): void {
    this.update();
    this._stateChanged.emit();
  }

  private readonly _stateChanged = new Signal<this, void>(this);
  private _choice = 0;
}

function choiceText(choice: Cleaning, trans: TranslationBundle): string {
  if (typeof choice.older_than_days === 'number') {
    const days = choice.older_than_days;
    return trans._n(
      'What is older than a day',
      'What is older than %1 days',
      days
    );
  }
  return choice.keep_bytes
    ? trans.__('The oldest, until %1 are left', formatBytes(choice.keep_bytes))
    : trans.__('All that is not in use');
}

/** What the chosen clean-up would do, in one sentence. */
export function previewText(
  preview: Cleaned | null,
  trans: TranslationBundle
): string {
  if (!preview) {
    return trans.__('Looking what that would free…');
  }
  const count = (kind: string) =>
    preview.items.filter(item => item.kind === kind).length;
  const runs = count('run');
  const environments = count('environment');
  const leftOvers = count('left-over');
  const parts = [
    runs && trans._n('%1 run', '%1 runs', runs),
    environments && trans._n('%1 environment', '%1 environments', environments),
    leftOvers && trans._n('%1 left-over', '%1 left-overs', leftOvers)
  ].filter(Boolean);
  return parts.length
    ? trans.__('Frees %1: %2.', formatBytes(preview.freed), parts.join(', '))
    : trans.__('There is nothing of that kind.');
}
