/** The side panel of a selected task: overview, inputs and outputs, logs, outputs, code. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { Attempt, TaskDetail, TaskStatus } from '../../api/types';
import type { OutputsModel } from '../../models/outputs';
import { durationMs } from '../../models/states';
import type { TaskModel } from '../../models/task';
import { Message } from '../message';
import { StateIcon, stateLabel } from '../stateMark';
import { formatDuration, formatMoment } from '../time';
import { useNow, useSignals } from '../useSignal';
import { ArtifactList } from './artifacts';
import { CodeTab } from './codeTab';
import { Fields, Section, ValueTable, Waiting } from './fields';
import { LogTab } from './logTab';
import type { Tab, ViewerModel } from './model';
import { kindLabel } from './nodeText';
import { OutputsTab } from './outputsTab';
import { TabList } from './tabs';

export interface ITaskPanelProps {
  model: ViewerModel;
  task: TaskModel;
  outputs: OutputsModel;
  trans: TranslationBundle;
}

export function TaskPanel(props: ITaskPanelProps): JSX.Element {
  const { model, task, outputs, trans } = props;
  useSignals(task.changed, outputs.changed);
  const node = model.run.node(task.taskId);
  const isGroup = model.scopes?.holders.has(task.taskId) ?? false;
  const runs = !isGroup && node?.type === 'RUNTIME';
  const count = outputs.outputs?.length;
  const tabs: [Tab, string][] = [
    ['overview', trans.__('Overview')],
    ['io', trans.__('Inputs & outputs')]
  ];
  if (runs) {
    tabs.push(['logs', trans.__('Logs')]);
  }
  tabs.push([
    'outputs',
    count ? `${trans.__('Outputs')} (${count})` : trans.__('Outputs')
  ]);
  if (runs) {
    tabs.push(['code', trans.__('Code')]);
  }
  const tab = tabs.some(([id]) => id === model.tab) ? model.tab : 'overview';
  const drawn = model.picture?.nodes.get(task.taskId);
  return (
    <>
      <div className="jp-PipelinesViewer-title">
        {task.status && <StateIcon state={task.status.state} />}
        <h2 title={task.taskId}>
          {drawn?.label ?? node?.display_name ?? task.taskId}
        </h2>
        {drawn && (
          <span className="jp-mod-quiet">{kindLabel(drawn, trans)}</span>
        )}
      </div>
      <TabList
        tabs={tabs}
        selected={tab}
        onSelect={id => model.setTab(id)}
        label={trans.__('Step')}
      >
        <TabBody {...props} tab={tab} />
      </TabList>
    </>
  );
}

function TabBody(props: ITaskPanelProps & { tab: Tab }): JSX.Element {
  const { model, task, outputs, tab, trans } = props;
  if (tab === 'logs') {
    return (
      <LogTab
        model={model}
        taskId={task.taskId}
        status={task.status}
        trans={trans}
      />
    );
  }
  if (tab === 'outputs') {
    const state = task.status?.state ?? null;
    return <OutputsTab outputs={outputs} state={state} trans={trans} />;
  }
  const { detail } = task;
  if (!detail) {
    return (
      <div className="jp-PipelinesViewer-body">
        {task.error ? (
          <Message
            kind="error"
            message={task.error.message}
            nextStep={task.error.nextStep}
          />
        ) : (
          <Waiting text={trans.__('Reading the step…')} trans={trans} />
        )}
      </div>
    );
  }
  switch (tab) {
    case 'io':
      return <IoTab model={model} detail={detail} trans={trans} />;
    case 'code':
      return <CodeTab detail={detail} trans={trans} />;
    default:
      return (
        <Overview
          model={model}
          detail={detail}
          status={task.status ?? detail.status}
          trans={trans}
        />
      );
  }
}

interface IOverviewProps {
  model: ViewerModel;
  detail: TaskDetail;
  status: TaskStatus;
  trans: TranslationBundle;
}

function Overview(props: IOverviewProps): JSX.Element {
  const { model, detail, status, trans } = props;
  const { cached_from: cachedFrom } = status;
  const hasLog = detail.node.type === 'RUNTIME';
  return (
    <div className="jp-PipelinesViewer-body">
      {status.error && (
        <div className="jp-PipelinesViewer-error" role="alert">
          <pre>{status.error}</pre>
          {hasLog && (
            <button
              type="button"
              className="jp-Pipelines-link"
              onClick={() => model.setTab('logs')}
            >
              {trans.__('Read the log')}
            </button>
          )}
        </div>
      )}
      <Fields
        rows={[
          [trans.__('State'), stateLabel(status.state, trans)],
          [
            trans.__('Cached from'),
            cachedFrom && (
              <button
                type="button"
                className="jp-Pipelines-link"
                title={trans.__('Open the run that made this result')}
                onClick={() =>
                  model.pipelines.openRun(model.connection, cachedFrom.run_id, {
                    taskId: cachedFrom.task_id
                  })
                }
              >
                {trans.__(
                  '%1 of run %2',
                  cachedFrom.task_id,
                  cachedFrom.run_id.slice(0, 8)
                )}
              </button>
            )
          ],
          [trans.__('Started'), formatMoment(status.started_at)],
          [trans.__('Finished'), formatMoment(status.finished_at)],
          [trans.__('Duration'), <Duration key="d" status={status} />],
          [trans.__('Component'), detail.node.component],
          [trans.__('Image'), detail.image && <code>{detail.image}</code>],
          [
            trans.__('Caching'),
            hasLog && (detail.caching ? trans.__('On') : trans.__('Off'))
          ],
          [trans.__('Task'), <code key="t">{detail.node.id}</code>]
        ]}
      />
      {status.attempts.length > 1 && (
        <Section title={trans.__('Attempts')}>
          <Attempts attempts={status.attempts} trans={trans} />
        </Section>
      )}
    </div>
  );
}

function Duration({ status }: { status: TaskStatus }): JSX.Element {
  const now = useNow(1000);
  return <>{formatDuration(durationMs(status, now)) || '–'}</>;
}

function Attempts(props: {
  attempts: readonly Attempt[];
  trans: TranslationBundle;
}): JSX.Element {
  const { attempts, trans } = props;
  return (
    <table className="jp-PipelinesViewer-table">
      <tbody>
        {attempts.map(one => (
          <tr key={one.number}>
            <th scope="row">{one.number}</th>
            <td>
              <span className="jp-PipelinesViewer-state">
                <StateIcon state={one.state} />
                {stateLabel(one.state, trans)}
              </span>
            </td>
            <td>{formatDuration(durationMs(one))}</td>
            <td>
              {one.exit_code !== null && trans.__('exit %1', one.exit_code)}
            </td>
            <td className="jp-mod-wide">{one.error}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function IoTab(props: {
  model: ViewerModel;
  detail: TaskDetail;
  trans: TranslationBundle;
}): JSX.Element {
  const { model, detail, trans } = props;
  const { inputs, outputs } = detail;
  return (
    <div className="jp-PipelinesViewer-body">
      <Section title={trans.__('Input parameters')}>
        <ValueTable
          values={inputs.parameters}
          empty={trans.__('None')}
          trans={trans}
        />
      </Section>
      <Section title={trans.__('Input artifacts')}>
        <ArtifactList
          model={model}
          artifacts={inputs.artifacts}
          empty={trans.__('None')}
          trans={trans}
        />
      </Section>
      <Section title={trans.__('Output parameters')}>
        <ValueTable
          values={outputs.parameters}
          empty={trans.__('None')}
          trans={trans}
        />
      </Section>
      <Section title={trans.__('Output artifacts')}>
        <ArtifactList
          model={model}
          artifacts={outputs.artifacts}
          empty={trans.__('None')}
          trans={trans}
        />
      </Section>
    </div>
  );
}
