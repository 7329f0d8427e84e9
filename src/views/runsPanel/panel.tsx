/** The sidebar's content: connection, filters, and the live list of runs. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import React, { useRef } from 'react';
import type { Run } from '../../api/types';
import { CommandIDs } from '../../commands';
import { noAccessIcon } from '../../icons';
import { Message } from '../message';
import { DiskFooter } from '../storage/footer';
import { useSignals } from '../useSignal';
import { ConnectionPicker, type ConnectionAction } from './connectionPicker';
import { FirstSteps, NothingFound } from './emptyState';
import { Filters, isFiltered } from './filters';
import type { RunsPanelModel } from './model';
import { NamespacePicker } from './namespacePicker';
import { RunList } from './runList';
import type { RowAction } from './runRow';

const ACTIONS: Record<RowAction, string> = {
  stop: CommandIDs.stopRun,
  retry: CommandIDs.retryRun,
  delete: CommandIDs.deleteRun
};

const CONNECTION_ACTIONS: Record<ConnectionAction, string> = {
  edit: CommandIDs.editConnection,
  test: CommandIDs.testConnection,
  remove: CommandIDs.removeConnection
};

export interface IPanelProps {
  model: RunsPanelModel;
  commands: CommandRegistry;
  /** Path of the example notebook; null where the file browser has none. */
  findExample: () => Promise<string | null>;
  trans: TranslationBundle;
}

export default function Panel(props: IPanelProps): JSX.Element {
  const { model, commands, trans } = props;
  const { connections } = model.service;
  useSignals(model.changed, model.runs.changed, connections.changed);
  const run = (id: string, args: ReadonlyPartialJSONObject = {}) => {
    void commands.execute(id, { connection: model.connection, ...args });
  };
  return (
    <div className="jp-PipelinesRuns">
      <div className="jp-PipelinesRuns-head">
        <Where {...props} />
        <button
          type="button"
          className="jp-Pipelines-iconButton"
          title={trans.__('Refresh runs')}
          aria-label={trans.__('Refresh runs')}
          onClick={() => run(CommandIDs.refresh)}
        >
          <refreshIcon.react tag={null} width="16px" height="16px" />
        </button>
      </div>
      <Notices
        model={model}
        trans={trans}
        onSignIn={() => run(CommandIDs.editConnection, { secret: true })}
      />
      {isAlone(model) && (
        <p className="jp-PipelinesRuns-quiet">
          {trans.__('No Kubeflow endpoint found.')}{' '}
          <button
            type="button"
            className="jp-Pipelines-link"
            onClick={() => run(CommandIDs.addConnection)}
          >
            {trans.__('Add one…')}
          </button>
        </p>
      )}
      {!hasNothing(model) && (
        <Filters
          query={model.runs.query}
          summary={summarise(model, trans)}
          count={model.runs.totalSize}
          trans={trans}
          onChange={change => model.setQuery(change)}
        />
      )}
      <Body {...props} />
      {connections.find(model.connection)?.kind === 'local' && (
        <DiskFooter
          client={model.service.client}
          connection={model.connection}
          trans={trans}
          onOpen={() => commands.execute(CommandIDs.diskUse)}
        />
      )}
    </div>
  );
}

/** Which runs are shown: the connection, and beside it the namespace where there are several. */
function Where({ model, commands, trans }: IPanelProps): JSX.Element {
  const { connections } = model.service;
  const shown = connections.find(model.connection);
  return (
    <div className="jp-PipelinesRuns-where">
      <ConnectionPicker
        connections={connections.connections}
        // Until it is known what the server prefers, there is nothing to name.
        current={
          model.isChosen || connections.connections ? model.connection : ''
        }
        hasNamespace={!!connections.namespaces(model.connection)?.multi_user}
        trans={trans}
        onChoose={name => model.choose(name)}
        onAdd={() => void commands.execute(CommandIDs.addConnection)}
        onAction={(action, connection) =>
          void commands.execute(CONNECTION_ACTIONS[action], { connection })
        }
      />
      {shown?.kind === 'kubeflow' && (
        <NamespacePicker
          key={shown.name}
          connection={shown}
          connections={connections}
          trans={trans}
          onChoose={async namespace => {
            await connections.chooseNamespace(shown.name, namespace);
            await model.service.runs(shown.name).restart();
          }}
        />
      )}
    </div>
  );
}

/** There is no connection but the one of this machine. */
function isAlone({ service }: RunsPanelModel): boolean {
  return service.connections.connections?.length === 1;
}

/** There is not one run: nothing to filter or sort. */
function hasNothing({ runs }: RunsPanelModel): boolean {
  return runs.runs?.length === 0 && !isFiltered(runs.query);
}

/** How many runs there are, or are selected. */
function summarise(model: RunsPanelModel, trans: TranslationBundle): string {
  const { runs, totalSize } = model.runs;
  const selected = model.selection.ids.size;
  if (selected > 1) {
    return trans.__('%1 selected', selected);
  }
  if (!runs?.length) {
    return '';
  }
  const count = totalSize ?? runs.length;
  const text = count.toLocaleString();
  return totalSize === null && model.runs.hasMore
    ? trans.__('%1+ runs', text)
    : trans._n('%1 run', '%1 runs', count, text);
}

/** At most one line on what is wrong: the connection, the server, or the live updates. */
function Notices(props: {
  model: RunsPanelModel;
  trans: TranslationBundle;
  onSignIn: () => void;
}): JSX.Element | null {
  const { model, trans, onSignIn } = props;
  const { service, runs, connection } = model;
  useSignals(service.events.statusChanged);
  const shown = service.connections.find(connection);
  const known = service.connections.namespaces(connection);
  if (known?.multi_user && !known.current) {
    return (
      <Message
        kind="info"
        message={trans.__('Choose a namespace to see its runs.')}
      />
    );
  }
  if (shown?.state === 'sign_in') {
    return (
      <Message
        kind="warning"
        message={shown.message || trans.__('Sign-in needed.')}
      >
        {' '}
        <button type="button" className="jp-Pipelines-link" onClick={onSignIn}>
          {shown.removable
            ? trans.__('Renew sign-in…')
            : trans.__('Sign in another way…')}
        </button>
      </Message>
    );
  }
  if (shown?.state === 'forbidden') {
    return (
      <Message
        kind="warning"
        icon={noAccessIcon}
        message={shown.message || trans.__('No access.')}
      />
    );
  }
  const error = service.connections.error ?? runs.error;
  if (error) {
    return (
      <Message
        kind={runs.runs ? 'warning' : 'error'}
        message={error.message}
        nextStep={error.nextStep}
      />
    );
  }
  if (shown && shown.state !== 'ready' && shown.message) {
    return <Message kind="warning" message={shown.message} />;
  }
  const stale = runs.stale ?? service.events.status.reason;
  if (stale) {
    return <Message kind="warning" message={stale} />;
  }
  return runs.note ? <Message kind="info" message={runs.note} /> : null;
}

function Body(props: IPanelProps): JSX.Element {
  const { model, commands, trans } = props;
  const { connection } = model;
  const { runs, loading } = useSteadyRuns(model);
  const act = (action: RowAction, chosen: Run[]) => {
    void commands.execute(ACTIONS[action], {
      connection,
      run_ids: chosen.map(run => run.run_id)
    });
  };
  if (!runs) {
    return (
      <div className="jp-PipelinesRuns-body" aria-busy={loading}>
        {loading && <Skeleton label={trans.__('Reading the runs…')} />}
      </div>
    );
  }
  return (
    <div className="jp-PipelinesRuns-body" aria-busy={loading}>
      {runs.length ? (
        <RunList
          key={connection}
          model={model}
          runs={runs}
          trans={trans}
          onOpen={run =>
            void commands.execute(CommandIDs.openRun, {
              connection,
              run_id: run.run_id
            })
          }
          onAction={act}
        />
      ) : isFiltered(model.runs.query) ? (
        <NothingFound
          trans={trans}
          onClear={() => model.setQuery({ name: '', states: [] })}
        />
      ) : (
        <FirstSteps
          trans={trans}
          findExample={props.findExample}
          onOpen={path =>
            void commands.execute(CommandIDs.openExample, { path })
          }
        />
      )}
    </div>
  );
}

/** The list to draw: while a new query loads, the one before, so that nothing flickers. */
function useSteadyRuns(model: RunsPanelModel): {
  runs: readonly Run[] | null;
  loading: boolean;
} {
  const { runs, error, isLoading } = model.runs;
  const last = useRef({ model: model.runs, runs });
  if (runs || error || last.current.model !== model.runs) {
    last.current = { model: model.runs, runs };
  }
  return { runs: last.current.runs, loading: isLoading };
}

/** Grey rows in the place of the first runs; the style sheet shows them only after a moment. */
function Skeleton(props: { label: string }): JSX.Element {
  return (
    <div className="jp-PipelinesRuns-skeleton" aria-label={props.label}>
      {[68, 52, 60, 44].map(width => (
        <div key={width}>
          <span style={{ width: `${width}%` }} />
          <span style={{ width: `${width - 20}%` }} />
        </div>
      ))}
    </div>
  );
}
