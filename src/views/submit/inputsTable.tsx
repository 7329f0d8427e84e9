/** The variables a step needs: what they are, and where their values come from. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { IDraftInput, InputSource } from './stepDraft';

export interface IInputsTableProps {
  inputs: readonly IDraftInput[];
  trans: TranslationBundle;
  onSource: (name: string, source: InputSource) => void;
  onText: (name: string, text: string) => void;
}

export function InputsTable(props: IInputsTableProps): JSX.Element {
  const { inputs, trans, onSource } = props;
  return (
    <table className="jp-PipelinesSubmit-inputs">
      <thead>
        <tr>
          <th scope="col">{trans.__('Variable')}</th>
          <th scope="col">{trans.__('Value')}</th>
          <th scope="col">{trans.__('Comes from')}</th>
        </tr>
      </thead>
      <tbody>
        {inputs.map(input => (
          <tr key={input.name}>
            <th scope="row">
              <code>{input.name}</code>
              {input.type && (
                <span className="jp-PipelinesSubmit-type">{input.type}</span>
              )}
            </th>
            <td>
              <Value {...props} input={input} />
            </td>
            <td>
              <select
                className="jp-Pipelines-input"
                value={input.source}
                aria-label={trans.__('Where %1 comes from', input.name)}
                title={sourceHint(input.source, trans)}
                onChange={event =>
                  onSource(input.name, event.target.value as InputSource)
                }
              >
                {input.sources.map(source => (
                  <option key={source} value={source}>
                    {sourceWord(source, trans)}
                  </option>
                ))}
              </select>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Value(props: IInputsTableProps & { input: IDraftInput }): JSX.Element {
  const { input, trans, onText } = props;
  if (input.source !== 'parameter') {
    return (
      <span className="jp-PipelinesSubmit-preview" title={input.preview}>
        {input.preview ||
          (input.source === 'recompute'
            ? trans.__('computed by the earlier cells')
            : '')}
      </span>
    );
  }
  return (
    <div data-fault={input.fault ? '' : undefined}>
      <input
        type="text"
        className="jp-Pipelines-input jp-mod-code"
        value={input.text}
        aria-label={trans.__('Value of %1 as JSON', input.name)}
        aria-invalid={!!input.fault}
        spellCheck={false}
        autoComplete="off"
        onChange={event => onText(input.name, event.target.value)}
      />
      {input.fault && (
        <div className="jp-Pipelines-fieldFault" role="alert">
          {input.fault}
        </div>
      )}
    </div>
  );
}

function sourceWord(source: InputSource, trans: TranslationBundle): string {
  switch (source) {
    case 'parameter':
      return trans.__('Parameter');
    case 'snapshot':
      return trans.__('Kernel’s value');
    case 'recompute':
      return trans.__('Earlier cells');
  }
}

function sourceHint(source: InputSource, trans: TranslationBundle): string {
  switch (source) {
    case 'parameter':
      return trans.__('A parameter of the run, with the value at the left.');
    case 'snapshot':
      return trans.__('A copy of the value that the kernel holds now.');
    case 'recompute':
      return trans.__('The cells that define it run first, inside the step.');
  }
}
