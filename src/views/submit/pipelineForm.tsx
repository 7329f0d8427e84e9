/** The dialog "Run pipeline": the run's name, the pipeline's parameters, where it runs. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { PipelineParameter } from '../../api/types';
import type { ConnectionsModel } from '../../models/connections';
import { Field, SelectField, TextField, type IFieldProps } from '../fields';
import { useSignals } from '../useSignal';
import { ConnectionField } from './connectionField';
import { DraftForm } from './draftForm';
import { choicesOf, editorOf, toText, typeName } from './parameterValue';
import type { CachingChoice, PipelineDraft } from './pipelineDraft';
import { Problems } from './problems';

export interface IPipelineFormOptions {
  draft: PipelineDraft;
  connections: ConnectionsModel;
  trans: TranslationBundle;
}

/** The form over `options.draft`, which is disposed with it. */
export function makePipelineForm(options: IPipelineFormOptions): DraftForm {
  return new DraftForm(options.draft, <Form {...options} />);
}

function Form(props: IPipelineFormOptions): JSX.Element {
  const { draft, connections, trans } = props;
  useSignals(draft.changed);
  const { description } = draft;
  const readable = !!description?.parameters.length;
  return (
    <>
      {description?.description && (
        <p className="jp-PipelinesSubmit-quiet">{description.description}</p>
      )}
      <div className="jp-PipelinesSubmit-row">
        <TextField
          label={trans.__('Run name')}
          value={draft.name}
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
        place={({ place, line }) =>
          place || (line ? trans.__('Line %1', line) : '')
        }
        trans={trans}
      />
      {draft.isReading && !description && (
        <p className="jp-PipelinesSubmit-quiet" role="status">
          {trans.__('Reading the pipeline…')}
        </p>
      )}
      {description && (readable || !draft.problems.length) && (
        <>
          <Parameters {...props} />
          <Caching {...props} />
        </>
      )}
    </>
  );
}

function Parameters(props: IPipelineFormOptions): JSX.Element {
  const { draft, trans } = props;
  const parameters = draft.description?.parameters ?? [];
  return (
    <section className="jp-PipelinesSubmit-section">
      <header>
        <h4>{trans.__('Parameters')}</h4>
        <span>
          {parameters.some(one => one.required)
            ? trans.__('* needs a value')
            : ''}
        </span>
      </header>
      {parameters.length ? (
        <div className="jp-PipelinesSubmit-parameters">
          {parameters.map(parameter => (
            <Parameter key={parameter.name} {...props} parameter={parameter} />
          ))}
        </div>
      ) : (
        <p className="jp-PipelinesSubmit-quiet">
          {trans.__('The pipeline has no parameters.')}
        </p>
      )}
    </section>
  );
}

function Parameter(
  props: IPipelineFormOptions & { parameter: PipelineParameter }
): JSX.Element {
  const { draft, parameter, trans } = props;
  const { name } = parameter;
  const editor = editorOf(parameter);
  const value = draft.text(parameter);
  const onChange = (text: string) => draft.setText(name, text);
  const field: Omit<IFieldProps, 'children'> = {
    label: name,
    hint: parameter.description,
    fault: draft.fault(parameter),
    note: typeName(parameter.type),
    required: parameter.required
  };
  switch (editor) {
    case 'choice': {
      const options = choicesOf(parameter).map(choice => ({
        value: toText(choice, editor),
        label: String(choice)
      }));
      return (
        <SelectField
          {...field}
          value={value}
          options={
            options.some(option => option.value === value)
              ? options
              : [{ value: '', label: trans.__('Choose…') }, ...options]
          }
          onChange={onChange}
        />
      );
    }
    case 'lines':
    case 'json':
      return (
        <Field {...field}>
          {({ id, describedBy }) => (
            <textarea
              id={id}
              className={`jp-Pipelines-input${editor === 'json' ? ' jp-mod-code' : ''}`}
              rows={Math.min(12, Math.max(2, value.split('\n').length))}
              aria-describedby={describedBy}
              aria-invalid={!!field.fault}
              spellCheck={false}
              value={value}
              onChange={event => onChange(event.target.value)}
            />
          )}
        </Field>
      );
    case 'number':
    case 'text':
      return (
        <TextField
          {...field}
          value={value}
          inputMode={editor === 'number' ? 'decimal' : 'text'}
          onChange={onChange}
        />
      );
  }
}

function Caching({ draft, trans }: IPipelineFormOptions): JSX.Element {
  return (
    <SelectField
      label={trans.__('Reuse of earlier results')}
      value={draft.caching}
      options={[
        { value: 'keep', label: trans.__('As the pipeline says') },
        { value: 'on', label: trans.__('Reuse wherever possible') },
        { value: 'off', label: trans.__('Run every step again') }
      ]}
      onChange={caching => draft.setCaching(caching as CachingChoice)}
    />
  );
}
