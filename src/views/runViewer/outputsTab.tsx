/** What a task or a run has to show: numbers first, then charts, then reports, then data. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { Output, State } from '../../api/types';
import type { OutputsModel } from '../../models/outputs';
import { isFinal } from '../../models/states';
import { Message } from '../message';
import { useSignals } from '../useSignal';
import { Waiting } from './fields';
import { OutputView } from './mime';

/** Kinds in the order in which a reader wants them; others stand before tables. */
const FIRST = ['metrics', 'roc', 'confusion_matrix', 'markdown'];
const LAST = ['table'];

function rank({ kind }: Output): number {
  const first = FIRST.indexOf(kind);
  return first >= 0 ? first : FIRST.length + LAST.indexOf(kind) + 1;
}

function sorted(outputs: readonly Output[]): Output[] {
  return [...outputs].sort((a, b) => rank(a) - rank(b));
}

export function OutputsTab(props: {
  outputs: OutputsModel;
  /** The state of what the outputs are of. */
  state: State | null;
  trans: TranslationBundle;
}): JSX.Element {
  const { outputs, state, trans } = props;
  useSignals(outputs.changed);
  const { error } = outputs;
  const over = state !== null && isFinal(state);
  return (
    <div className="jp-PipelinesViewer-body">
      {error && (
        <Message
          kind="error"
          message={error.message}
          nextStep={error.nextStep}
        />
      )}
      {!error && outputs.outputs === null && (
        <Waiting text={trans.__('Reading the outputs…')} trans={trans} />
      )}
      {outputs.outputs?.length === 0 && (
        <p className="jp-mod-quiet">
          {over
            ? trans.__('No metrics, plots or reports.')
            : trans.__('Nothing to show yet.')}
        </p>
      )}
      {sorted(outputs.outputs ?? []).map(output => (
        <OutputView
          key={output.id}
          output={output}
          showTask={outputs.taskId === null}
          trans={trans}
        />
      ))}
    </div>
  );
}
