/** The dialog "Run as pipeline step": what will run, with what, and where. */
import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { Problem } from '../../api/types';
import type { ConnectionsModel } from '../../models/connections';
import { TextField } from '../fields';
import { Message } from '../message';
import { useSignals } from '../useSignal';
import { cellNumber } from './cells';
import { CodeView } from './codeView';
import { ConnectionField } from './connectionField';
import { DraftForm } from './draftForm';
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

/** The form over `options.draft`, which is disposed with it. */
export function makeStepForm(options: IStepFormOptions): DraftForm {
  return new DraftForm(options.draft, <Form {...options} />);
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
