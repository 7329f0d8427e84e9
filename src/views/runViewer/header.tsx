/** The viewer's head: the run's name, state, time and actions, and what hinders the view. */
import { showErrorMessage } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { redoIcon, refreshIcon, stopIcon } from '@jupyterlab/ui-components';
import React from 'react';
import { asRequestError } from '../../api/request';
import type { Run } from '../../api/types';
import { canRetry, canStop, durationMs } from '../../models/states';
import { Message } from '../message';
import { StateIcon, stateLabel } from '../stateMark';
import { formatDuration, formatMoment } from '../time';
import { useNow, useSignals } from '../useSignal';
import { IconButton, TextButton } from './graphTools';
import type { ViewerModel } from './model';

export interface IHeaderProps {
  model: ViewerModel;
  trans: TranslationBundle;
}

export function Header({ model, trans }: IHeaderProps): JSX.Element {
  useSignals(model.run.changed);
  const { run } = model.run;
  return (
    <header className="jp-PipelinesViewer-header">
      {run && (
        <>
          <span
            className="jp-PipelinesViewer-state"
            data-pipelines-state={run.state}
            role="status"
          >
            <StateIcon state={run.state} />
            {stateLabel(run.state, trans)}
          </span>
          <h1 title={run.display_name}>{run.display_name}</h1>
          <span
            className="jp-PipelinesViewer-time"
            title={trans.__('Created %1', formatMoment(run.created_at))}
          >
            <Duration run={run} />
            <Progress run={run} trans={trans} />
          </span>
        </>
      )}
      <span className="jp-PipelinesViewer-place">{model.connection}</span>
      <Actions model={model} run={run} trans={trans} />
    </header>
  );
}

function Duration({ run }: { run: Run }): JSX.Element {
  const now = useNow(run.finished_at ? 3_600_000 : 1000);
  return <>{formatDuration(durationMs(run, now))}</>;
}

function Progress(props: {
  run: Run;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { progress } = props.run;
  return progress && progress.total > 0 ? (
    <>{` · ${props.trans.__('%1 of %2 tasks', progress.done, progress.total)}`}</>
  ) : null;
}

function Actions(props: IHeaderProps & { run: Run | null }): JSX.Element {
  const { model, run, trans } = props;
  const [busy, setBusy] = React.useState(false);
  const act = async (title: string, action: () => Promise<void>) => {
    setBusy(true);
    try {
      await action();
    } catch (reason) {
      const { message, nextStep } = asRequestError(reason);
      await showErrorMessage(title, `${message} ${nextStep}`.trim());
    } finally {
      setBusy(false);
    }
  };
  return (
    <div
      className="jp-PipelinesViewer-actions"
      role="toolbar"
      aria-label={trans.__('Run')}
    >
      {run && canStop(run) && (
        <IconButton
          icon={stopIcon}
          title={trans.__('Stop the run')}
          disabled={busy}
          onClick={() =>
            void act(trans.__('The run could not be stopped'), () =>
              model.run.terminate()
            )
          }
        />
      )}
      {run && canRetry(run) && (
        <IconButton
          icon={redoIcon}
          title={trans.__('Retry: run again what failed')}
          disabled={busy}
          onClick={() =>
            void act(trans.__('The run could not be retried'), () =>
              model.run.retry()
            )
          }
        />
      )}
      <IconButton
        icon={refreshIcon}
        title={trans.__('Read the run again')}
        onClick={() => {
          void model.run.refresh();
          void model.outputs.refresh();
        }}
      />
      <TextButton
        text={model.panelOpen ? trans.__('Hide details') : trans.__('Details')}
        title={trans.__('Show or hide the panel at the side')}
        pressed={model.panelOpen}
        onClick={() => model.setPanelOpen(!model.panelOpen)}
      />
    </div>
  );
}

/** Why what is shown may be old or incomplete; nothing where all is well. */
export function Notices({ model, trans }: IHeaderProps): JSX.Element | null {
  const { run, pipelines } = model;
  useSignals(run.changed, pipelines.events.statusChanged);
  const down = pipelines.events.status.reason;
  if (run.deleted) {
    return (
      <Message
        kind="warning"
        message={trans.__('This run was deleted.')}
        nextStep={trans.__('Close this tab; what you see is its last state.')}
      />
    );
  }
  if (run.error && run.run) {
    return (
      <Message
        kind="error"
        message={run.error.message}
        nextStep={run.error.nextStep}
      />
    );
  }
  const stale = run.stale ?? down;
  return stale ? <Message kind="warning" message={stale} /> : null;
}
