/** The dialog that adds, changes and tests a connection to a Kubeflow Pipelines endpoint. */
import { ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal, type ISignal } from '@lumino/signaling';
import React, { useId } from 'react';
import { SelectField, TextField } from '../fields';
import { FormDialog, type IFormBody } from '../formDialog';
import { Message } from '../message';
import { useSignals } from '../useSignal';
import { Advanced } from './advanced';
import { isKept, type TextPlace } from './draft';
import { ConnectionEditor, type IConnectionEditorOptions } from './editor';
import {
  answerKey,
  methods,
  questions,
  type IQuestion,
  type Method
} from './signIn';
import { TestSection } from './testSection';

const SAMPLE_ADDRESS = 'https://kubeflow.example.org/pipeline';

export interface IConnectionFormOptions extends IConnectionEditorOptions {
  /** Begin at the secret rather than at the address. */
  atSecret?: boolean;
  /** Test at once. */
  test?: boolean;
}

/** Asks for a connection and stores it; its name, or null where the user cancelled. */
export async function askForConnection(
  options: IConnectionFormOptions
): Promise<string | null> {
  const { settings, trans, atSecret, test } = options;
  const editor = new ConnectionEditor(options);
  // eslint-disable-next-line jupyter/require-disposable-ownership -- a dialog disposes itself
  const dialog = new FormDialog<string>({
    title: settings
      ? trans.__('Change connection “%1”', settings.name)
      : trans.__('Add connection'),
    body: new ConnectionForm(editor, trans),
    accept: settings ? trans.__('Save') : trans.__('Add'),
    busy: settings ? trans.__('Saving…') : trans.__('Adding…'),
    focus: atSecret ? atSignIn(editor, trans) : 'input',
    className: 'jp-PipelinesConnectionForm',
    trans
  });
  const asked = dialog.ask();
  if (test) {
    void editor.test();
  }
  return asked;
}

/** Selector of the secret; where the method has none, of its first question, or of the method. */
function atSignIn(
  { draft }: ConnectionEditor,
  trans: TranslationBundle
): string {
  const asked = questions(draft.method, draft.answers, trans);
  const field = (asked.find(one => one.secret) ?? asked[0])?.field;
  return field ? `[data-sign-in="${field}"]` : 'select';
}

class ConnectionForm extends ReactWidget implements IFormBody<string> {
  constructor(
    private readonly editor: ConnectionEditor,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-PipelinesForm-body');
    editor.changed.connect(this._onChanged, this);
  }

  get canSubmit(): boolean {
    return !this.editor.isSaving;
  }

  get isBusy(): boolean {
    return this.editor.isSaving;
  }

  get stateChanged(): ISignal<this, void> {
    return this._stateChanged;
  }

  async submit(): Promise<string | null> {
    const name = await this.editor.save();
    if (name === null) {
      this._goToFault();
    }
    return name;
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.editor.dispose();
      Signal.clearData(this);
      super.dispose();
    }
  }

  protected override render(): JSX.Element {
    return <Form editor={this.editor} trans={this.trans} />;
  }

  /** Takes the user to the first field that was refused, once it is marked. */
  private _goToFault(): void {
    requestAnimationFrame(() => {
      this.node.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
    });
  }

  private _onChanged(): void {
    this._stateChanged.emit();
  }

  private readonly _stateChanged = new Signal<this, void>(this);
}

export interface IFormPartProps {
  editor: ConnectionEditor;
  trans: TranslationBundle;
}

export function Form(props: IFormPartProps): JSX.Element {
  const { editor, trans } = props;
  useSignals(editor.changed);
  const { draft, error } = editor;
  const text = (place: TextPlace) => ({
    fault: editor.faults[place],
    value: draft[place],
    onChange: (value: string) => editor.change({ [place]: value })
  });
  return (
    <>
      <TextField
        {...text('host')}
        label={trans.__('Address')}
        hint={trans.__(
          'Where the Kubeflow Pipelines API answers, without /apis.'
        )}
        placeholder={SAMPLE_ADDRESS}
      />
      <div className="jp-PipelinesConnectionForm-row">
        {!editor.stored && (
          <TextField
            {...text('name')}
            label={trans.__('Name')}
            hint={trans.__('What it is called here.')}
          />
        )}
        <Namespace {...props} />
      </div>
      <SignIn {...props} />
      <Advanced {...props} />
      <TestSection test={editor} trans={trans} />
      {error && (
        <Message
          kind="error"
          message={error.message}
          nextStep={error.nextStep}
        />
      )}
    </>
  );
}

/** Any text; once a test has found namespaces, they are offered. */
function Namespace(props: IFormPartProps): JSX.Element {
  const { editor, trans } = props;
  const offers = useId();
  const found = editor.report?.namespaces ?? [];
  return (
    <>
      <TextField
        label={trans.__('Namespace')}
        hint={
          found.length
            ? trans._n(
                'The test found %1; choose it or type.',
                'The test found %1; choose one or type.',
                found.length
              )
            : trans.__('Where the endpoint has several.')
        }
        note={trans.__('optional')}
        fault={editor.faults.namespace}
        value={editor.draft.namespace}
        list={offers}
        onChange={namespace => editor.change({ namespace })}
      />
      <datalist id={offers}>
        {found.map(name => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </>
  );
}

/** The method, and below it what the method asks. */
function SignIn(props: IFormPartProps): JSX.Element {
  const { editor, trans } = props;
  const { draft, faults } = editor;
  return (
    <>
      <SelectField
        label={trans.__('Sign-in')}
        fault={faults.sign_in}
        value={draft.method}
        options={methods(trans)}
        onChange={method => editor.chooseMethod(method as Method)}
      />
      {questions(draft.method, draft.answers, trans).map(question => {
        const { field, label, options, optional, secret } = question;
        const key = answerKey(draft.method, field);
        const common = {
          label,
          fault: faults[`sign_in.${field}`],
          hint: hintOf(question, editor, trans),
          onChange: (text: string) => editor.answer(field, text)
        };
        return options ? (
          <SelectField
            {...common}
            key={key}
            value={draft.answers[key] ?? options[0].value}
            options={options}
          />
        ) : (
          <TextField
            {...common}
            key={key}
            data-sign-in={field}
            type={secret ? 'password' : 'text'}
            note={optional && trans.__('optional')}
            placeholder={question.placeholder}
            value={draft.answers[key] ?? ''}
          />
        );
      })}
    </>
  );
}

/** What a question says of itself, and what becomes of a secret. */
function hintOf(
  question: IQuestion,
  { draft, stored }: ConnectionEditor,
  trans: TranslationBundle
): string {
  return [question.hint, fate()].filter(Boolean).join(' ');

  function fate(): string {
    if (!question.secret) {
      return '';
    }
    if (isKept(draft, question, stored)) {
      return trans.__('Kept unless you type a new one.');
    }
    return stored?.method === draft.method
      ? trans.__('Give it again: the address has changed.')
      : trans.__('Stored for you alone; never shown again.');
  }
}
