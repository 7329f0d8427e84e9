/** One run of the list: state, name, pipeline, progress, duration, age and what can be done. */
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  deleteIcon,
  refreshIcon,
  stopIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import React from 'react';
import type { Run } from '../../api/types';
import { canRetry, canStop, durationMs, isFinal } from '../../models/states';
import { StateIcon, stateLabel } from '../stateMark';
import { formatAge, formatDuration, formatMoment } from '../time';

/** Height of a row in pixels; the style sheet keeps to it. */
export const ROW_HEIGHT = 52;

/** What the row's buttons ask for. */
export type RowAction = 'stop' | 'retry' | 'delete';

export interface IRunRowProps {
  run: Run;
  index: number;
  selected: boolean;
  /** It has the keyboard: Tab reaches it and its buttons. */
  active: boolean;
  now: number;
  trans: TranslationBundle;
  onAction: (action: RowAction, run: Run) => void;
}

export function RunRow(props: IRunRowProps): JSX.Element {
  const { run, index, selected, active, now, trans } = props;
  const duration = formatDuration(durationMs(run, now));
  return (
    <div
      className="jp-PipelinesRun"
      role="row"
      aria-selected={selected}
      aria-rowindex={index + 1}
      data-run-id={run.run_id}
      data-pipelines-state={run.state}
      tabIndex={active ? 0 : -1}
      style={{ top: index * ROW_HEIGHT, height: ROW_HEIGHT }}
      title={tip(run, trans)}
    >
      <div className="jp-PipelinesRun-line" role="gridcell">
        <StateIcon state={run.state} />
        <span className="jp-PipelinesRun-name">{run.display_name}</span>
        <span className="jp-PipelinesRun-age">
          {formatAge(run.created_at, now)}
        </span>
      </div>
      <div className="jp-PipelinesRun-line jp-mod-details" role="gridcell">
        <span
          className="jp-PipelinesRun-state"
          data-pipelines-state={run.state}
        >
          {stateLabel(run.state, trans)}
        </span>
        <Steps run={run} trans={trans} />
        {run.pipeline_name && (
          <span className="jp-PipelinesRun-pipeline">{run.pipeline_name}</span>
        )}
        <span className="jp-PipelinesRun-duration">{duration}</span>
      </div>
      <Actions {...props} />
      <ProgressBar run={run} />
    </div>
  );
}

function tip(run: Run, trans: TranslationBundle): string {
  const lines = [
    run.display_name,
    trans.__('Created %1', formatMoment(run.created_at))
  ];
  if (run.error) {
    lines.push(run.error);
  }
  return lines.join('\n');
}

/** How far a moving run is, or how much of a finished one failed. */
function Steps(props: {
  run: Run;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { run, trans } = props;
  const { total = 0, done = 0, failed = 0 } = run.progress ?? {};
  const text = isFinal(run.state)
    ? failed > 0 && trans.__('%1 of %2 steps failed', failed, total)
    : total > 0 && trans.__('%1/%2 steps', done, total);
  return text ? <span className="jp-PipelinesRun-steps">{text}</span> : null;
}

/** Thin, at the row's foot, while the run moves. */
function ProgressBar(props: { run: Run }): JSX.Element | null {
  const { progress, state } = props.run;
  if (!progress?.total || isFinal(state)) {
    return null;
  }
  const percent = Math.round((100 * progress.done) / progress.total);
  return (
    <div
      className="jp-PipelinesRun-bar"
      role="progressbar"
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <div style={{ width: `${percent}%` }} />
    </div>
  );
}

function Actions(props: IRunRowProps): JSX.Element {
  const { run, active, trans, onAction } = props;
  const button = (action: RowAction, icon: LabIcon, label: string) => (
    <button
      type="button"
      className="jp-PipelinesRun-button"
      title={label}
      aria-label={trans.__('%1: %2', label, run.display_name)}
      tabIndex={active ? 0 : -1}
      onClick={event => {
        event.stopPropagation();
        onAction(action, run);
      }}
      onDoubleClick={event => event.stopPropagation()}
    >
      <icon.react tag={null} width="16px" height="16px" />
    </button>
  );
  return (
    <div className="jp-PipelinesRun-actions" role="gridcell">
      {canStop(run) && button('stop', stopIcon, trans.__('Stop'))}
      {canRetry(run) && button('retry', refreshIcon, trans.__('Retry'))}
      {isFinal(run.state) && button('delete', deleteIcon, trans.__('Delete'))}
    </div>
  );
}
