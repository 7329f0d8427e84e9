/** Every action: its id, its words, its icon, its arguments, and how it enters the palette. */
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  addIcon,
  checkIcon,
  clearIcon,
  copyIcon,
  deleteIcon,
  editIcon,
  fileIcon,
  launchIcon,
  refreshIcon,
  stopIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import { pipelineFileIcon, pipelinesIcon, runStepIcon } from './icons';

export const CommandIDs = {
  showPanel: 'pipelines:show-panel',
  refresh: 'pipelines:refresh-runs',
  openRun: 'pipelines:open-run',
  stopRun: 'pipelines:stop-run',
  retryRun: 'pipelines:retry-run',
  deleteRun: 'pipelines:delete-run',
  copyRunId: 'pipelines:copy-run-id',
  addConnection: 'pipelines:add-connection',
  editConnection: 'pipelines:edit-connection',
  testConnection: 'pipelines:test-connection',
  removeConnection: 'pipelines:remove-connection',
  switchConnection: 'pipelines:switch-connection',
  switchNamespace: 'pipelines:switch-namespace',
  diskUse: 'pipelines:disk-use',
  runCells: 'pipelines:run-cells',
  runFile: 'pipelines:run-file',
  openExample: 'pipelines:open-example'
} as const;

export type CommandId = (typeof CommandIDs)[keyof typeof CommandIDs];

/** What the user reads of an action, and what it takes. */
export interface IAction {
  label: string;
  caption: string;
  icon: LabIcon;
  args?: ReadonlyJSONObject;
}

const CONNECTION = {
  type: 'string',
  description: 'Name of the connection; empty: the one shown in the panel'
};

const RUN_ARGS: ReadonlyJSONObject = {
  type: 'object',
  properties: {
    connection: CONNECTION,
    run_id: {
      type: 'string',
      description: 'Id of the run; empty: the runs selected in the panel'
    },
    run_ids: {
      type: 'array',
      items: { type: 'string' },
      description: 'Ids of several runs'
    }
  }
};

const CONNECTION_ARGS: ReadonlyJSONObject = {
  type: 'object',
  properties: { connection: CONNECTION }
};

const NO_ARGS: ReadonlyJSONObject = { type: 'object', properties: {} };

/** The words of every action, in the user's language. */
export function actions(trans: TranslationBundle): Record<CommandId, IAction> {
  return {
    [CommandIDs.showPanel]: {
      label: trans.__('Show pipeline runs'),
      caption: trans.__('Show the list of runs in the left sidebar'),
      icon: pipelinesIcon
    },
    [CommandIDs.refresh]: {
      label: trans.__('Refresh runs'),
      caption: trans.__('Read the list of runs again'),
      icon: refreshIcon
    },
    [CommandIDs.openRun]: {
      label: trans.__('Open run'),
      caption: trans.__('Show the graph, logs and outputs of the run'),
      icon: launchIcon,
      args: RUN_ARGS
    },
    [CommandIDs.stopRun]: {
      label: trans.__('Stop run'),
      caption: trans.__('Stop the steps that are running'),
      icon: stopIcon,
      args: RUN_ARGS
    },
    [CommandIDs.retryRun]: {
      label: trans.__('Retry run'),
      caption: trans.__(
        'Run what failed or was canceled again; finished steps are kept'
      ),
      icon: refreshIcon,
      args: RUN_ARGS
    },
    [CommandIDs.deleteRun]: {
      label: trans.__('Delete run'),
      caption: trans.__('Delete the run with its logs and artifacts'),
      icon: deleteIcon,
      args: RUN_ARGS
    },
    [CommandIDs.copyRunId]: {
      label: trans.__('Copy run id'),
      caption: trans.__('Copy the id of the run to the clipboard'),
      icon: copyIcon,
      args: RUN_ARGS
    },
    [CommandIDs.addConnection]: {
      label: trans.__('Add connection…'),
      caption: trans.__('Connect to a Kubeflow Pipelines endpoint'),
      icon: addIcon
    },
    [CommandIDs.editConnection]: {
      label: trans.__('Change connection…'),
      caption: trans.__('Change the address, sign-in or namespace'),
      icon: editIcon,
      args: {
        type: 'object',
        properties: {
          connection: CONNECTION,
          secret: {
            type: 'boolean',
            description: 'Begin at the secret'
          }
        }
      }
    },
    [CommandIDs.testConnection]: {
      label: trans.__('Test connection…'),
      caption: trans.__('Look step by step how far the connection leads'),
      icon: checkIcon,
      args: CONNECTION_ARGS
    },
    [CommandIDs.removeConnection]: {
      label: trans.__('Remove connection…'),
      caption: trans.__(
        'Forget a connection and its secrets; its runs stay where they are'
      ),
      icon: deleteIcon,
      args: CONNECTION_ARGS
    },
    [CommandIDs.switchConnection]: {
      label: trans.__('Switch connection…'),
      caption: trans.__('Show the runs of another connection'),
      icon: pipelinesIcon,
      args: {
        type: 'object',
        properties: {
          connection: {
            type: 'string',
            description: 'Name of the connection; empty: ask'
          }
        }
      }
    },
    [CommandIDs.switchNamespace]: {
      label: trans.__('Switch namespace…'),
      caption: trans.__('Show the runs of another namespace'),
      icon: pipelinesIcon,
      args: {
        type: 'object',
        properties: {
          connection: CONNECTION,
          namespace: {
            type: 'string',
            description: 'The namespace to show; without it: ask'
          }
        }
      }
    },
    [CommandIDs.diskUse]: {
      label: trans.__('Disk use of pipeline runs…'),
      caption: trans.__(
        'Show what runs and environments take on disk, and free it'
      ),
      icon: clearIcon
    },
    [CommandIDs.runCells]: {
      label: trans.__('Run as pipeline step…'),
      caption: trans.__('Run the selected cells as a pipeline step'),
      icon: runStepIcon
    },
    [CommandIDs.runFile]: {
      label: trans.__('Run pipeline…'),
      caption: trans.__('Run a compiled pipeline (YAML)'),
      icon: pipelineFileIcon,
      args: {
        type: 'object',
        properties: {
          path: {
            type: 'string',
            description: 'Path of the file; empty: the selected or the open one'
          },
          source: {
            type: 'string',
            enum: ['editor', 'browser'],
            description: 'Where to look for the file when no path is given'
          }
        }
      }
    },
    [CommandIDs.openExample]: {
      label: trans.__('Open the example notebook'),
      caption: trans.__('Open digits.ipynb, whose cells make a first pipeline'),
      icon: fileIcon
    }
  };
}

/** Where actions are registered. */
export interface IActionContext {
  commands: CommandRegistry;
  palette: ICommandPalette | null;
  trans: TranslationBundle;
}

/** What an action does. */
export type Behaviour = Pick<
  CommandRegistry.ICommandOptions,
  'execute' | 'isEnabled' | 'isVisible' | 'label'
>;

/** Registers an action as a command, in the palette under "Pipelines". */
export function addAction(
  { commands, palette, trans }: IActionContext,
  id: CommandId,
  behaviour: Behaviour
): IDisposable {
  const action = actions(trans)[id];
  const added = new DisposableSet();
  added.add(
    commands.addCommand(id, {
      caption: action.caption,
      icon: action.icon,
      describedBy: { args: action.args ?? NO_ARGS },
      ...behaviour,
      // A toolbar shows the icon alone, with the caption as its tip.
      label: args =>
        args.toolbar
          ? ''
          : typeof behaviour.label === 'function'
            ? behaviour.label(args)
            : action.label
    })
  );
  if (palette) {
    added.add(
      palette.addItem({ command: id, category: trans.__('Pipelines') })
    );
  }
  return added;
}
