/** The side panel while nothing is selected: the run's tasks, outputs and details. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { Run } from '../../api/types';
import { Message } from '../message';
import { formatMoment } from '../time';
import { useSignals } from '../useSignal';
import { Fields, Section, ValueTable } from './fields';
import type { ViewerModel } from './model';
import { firstFailed } from './failed';
import { OutputsTab } from './outputsTab';
import { TabList } from './tabs';
import { TaskList } from './taskList';

type RunTab = 'tasks' | 'outputs' | 'details';

export function RunPanel(props: {
  model: ViewerModel;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, trans } = props;
  useSignals(model.run.changed, model.outputs.changed);
  const [tab, setTab] = React.useState<RunTab>('tasks');
  const { run } = model.run;
  if (!run) {
    return null;
  }
  const count = model.outputs.outputs?.length;
  const outputs = trans.__('Outputs');
  return (
    <>
      {run.error && (
        <Message kind="error" message={run.error}>
          {' '}
          <JumpToFailed model={model} trans={trans} />
        </Message>
      )}
      {model.run.notes.map(note => (
        <Message key={note} kind="warning" message={note} />
      ))}
      <TabList
        label={trans.__('Run')}
        tabs={[
          ['tasks', trans.__('Tasks')],
          ['outputs', count ? `${outputs} (${count})` : outputs],
          ['details', trans.__('Parameters & details')]
        ]}
        selected={tab}
        onSelect={setTab}
      >
        {tab === 'tasks' && <TaskList model={model} trans={trans} />}
        {tab === 'outputs' && (
          <OutputsTab outputs={model.outputs} state={run.state} trans={trans} />
        )}
        {tab === 'details' && <Details run={run} trans={trans} />}
      </TabList>
    </>
  );
}

function JumpToFailed(props: {
  model: ViewerModel;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, trans } = props;
  const failed = firstFailed(model);
  return failed === null ? null : (
    <button
      type="button"
      className="jp-Pipelines-link"
      onClick={() => model.reveal(failed, 'overview')}
    >
      {trans.__('Show the failed step')}
    </button>
  );
}

function Details(props: { run: Run; trans: TranslationBundle }): JSX.Element {
  const { run, trans } = props;
  return (
    <div className="jp-PipelinesViewer-body">
      <Section title={trans.__('Parameters')}>
        <ValueTable
          values={run.parameters}
          empty={trans.__('This run takes no parameters.')}
          trans={trans}
        />
      </Section>
      <Section title={trans.__('Details')}>
        <Fields
          rows={[
            [trans.__('Pipeline'), run.pipeline_name],
            [trans.__('Description'), run.description],
            [trans.__('Created'), formatMoment(run.created_at)],
            [trans.__('Started'), formatMoment(run.started_at)],
            [trans.__('Finished'), formatMoment(run.finished_at)],
            [trans.__('Namespace'), run.namespace],
            [
              trans.__('Experiment'),
              run.experiment_id && <code>{run.experiment_id}</code>
            ],
            [trans.__('Run'), <code key="run">{run.run_id}</code>]
          ]}
        />
      </Section>
    </div>
  );
}
