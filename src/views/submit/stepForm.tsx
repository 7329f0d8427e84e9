/** The dialog "Run as pipeline step": what will run, with what, and where. */
import { ReactWidget } from '@jupyterlab/apputils';
import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal, type ISignal } from '@lumino/signaling';
import React from 'react';
import type { Problem, Run } from '../../api/types';
import type { ConnectionsModel } from '../../models/connections';
import { TextField } from '../fields';
import type { IFormBody } from '../formDialog';
import { Message } from '../message';
import { useSignals } from '../useSignal';
import { cellNumber } from './cells';
import { CodeView } from './codeView';
import { ConnectionField } from './connectionField';
import { InputsTable } from './inputsTable';
import { PackagesField } from './packagesField';
import { Problems } from './problems';
import type { StepDraft } from './stepDraft';

export interface IStepFormOptions {
  draft: StepDraft;
  connections: ConnectionsModel;
  editors: IEditorServices;
  /** Leaves the dialog for the place of a problem. */
  onGo: (problem: Problem) => void;
  trans: TranslationBundle;
}

export class StepForm extends ReactWidget implements IFormBody<Run> {
  constructor(private readonly options: IStepFormOptions) {
    super();
    this.addClass('jp-PipelinesForm-body');
    options.draft.changed.connect(this._onChanged, this);
  }

  get canSubmit(): boolean {
    return this.options.draft.canRun;
  }

  get isBusy(): boolean {
    return this.options.draft.isRunning;
  }

  get stateChanged(): ISignal<this, void> {
    return this._stateChanged;
  }

  submit(): Promise<Run | null> {
    return this.options.draft.run();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.options.draft.dispose();
      Signal.clearData(this);
      super.dispose();
    }
  }

  protected override render(): JSX.Element {
    return <Form {...this.options} />;
  }

  private _onChanged(): void {
    this._stateChanged.emit();
  }

  private readonly _stateChanged = new Signal<this, void>(this);
}

function Form(props: IStepFormOptions): JSX.Element {
  const { draft, connections, onGo, trans } = props;
  useSignals(draft.changed);
  const place = (problem: Problem): string => {
    const number = problem.cell ? cellNumber(draft.selection, problem.cell) : 0;
    if (!number) {
      return problem.place;
    }
    return problem.line
      ? trans.__('Cell %1, line %2', number, problem.line)
      : trans.__('Cell %1', number);
  };
  return (
    <>
      <div className="jp-PipelinesSubmit-row">
        <TextField
          label={trans.__('Step name')}
          value={draft.name}
          fault={
            draft.plan && !draft.name.trim()
              ? trans.__('Give the step a name.')
              : null
          }
          onChange={name => draft.setName(name)}
        />
        <ConnectionField
          connections={connections}
          value={draft.connection}
          trans={trans}
          onChange={connection => draft.setConnection(connection)}
        />
      </div>
      <Problems
        error={draft.error}
        problems={draft.problems}
        place={place}
        onGo={onGo}
        trans={trans}
      />
      {draft.kernelNote && <Message kind="info" message={draft.kernelNote} />}
      {draft.plan ? (
        <Plan {...props} />
      ) : (
        draft.isPlanning && (
          <p className="jp-PipelinesSubmit-quiet" role="status">
            {trans.__('Reading the cells…')}
          </p>
        )
      )}
    </>
  );
}

/** What the server made of the cells. */
function Plan(props: IStepFormOptions): JSX.Element {
  const { draft, editors, trans } = props;
  return (
    <>
      <Section
        title={trans.__('Inputs')}
        note={draft.isPlanning ? trans.__('Asking the kernel…') : ''}
      >
        {draft.inputs.length ? (
          <InputsTable
            inputs={draft.inputs}
            trans={trans}
            onSource={(name, source) => draft.setSource(name, source)}
            onText={(name, text) => draft.setText(name, text)}
          />
        ) : (
          <p className="jp-PipelinesSubmit-quiet">
            {trans.__('None: the cells use no variable of earlier cells.')}
          </p>
        )}
      </Section>
      <Section
        title={trans.__('Packages')}
        note={trans.__('Installed for the step where they are missing')}
      >
        <PackagesField
          packages={draft.packages}
          trans={trans}
          onChange={packages => draft.setPackages(packages)}
        />
      </Section>
      <label className="jp-PipelinesSubmit-check">
        <input
          type="checkbox"
          checked={draft.caching}
          onChange={event => draft.setCaching(event.target.checked)}
        />
        {trans.__('Reuse the earlier result when code and inputs are the same')}
      </label>
      <Section title={trans.__('Code that will run')} note={codeNote(props)}>
        <CodeView
          code={draft.plan?.code ?? ''}
          editors={editors}
          label={trans.__('Code that will run')}
        />
      </Section>
    </>
  );
}

function codeNote({ draft, trans }: IStepFormOptions): string {
  const chosen = draft.selection.selected.length;
  const cells = trans._n('%1 cell', '%1 cells', chosen, chosen);
  const along = draft.plan?.included.length ?? 0;
  return along ? trans.__('%1, with parts of %2 earlier', cells, along) : cells;
}

function Section(props: {
  title: string;
  note: string;
  children: React.ReactNode;
}): JSX.Element {
  return (
    <section className="jp-PipelinesSubmit-section">
      <header>
        <h4>{props.title}</h4>
        <span>{props.note}</span>
      </header>
      {props.children}
    </section>
  );
}
