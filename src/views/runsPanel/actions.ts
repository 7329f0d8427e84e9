/** The actions on runs: open, stop, retry, delete, copy the id. */
import { Clipboard, Dialog, showDialog } from '@jupyterlab/apputils';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Run } from '../../api/types';
import { addAction, CommandIDs, type IActionContext } from '../../commands';
import type { RunsModel } from '../../models/runs';
import { canRetry, canStop, isFinal } from '../../models/states';
import { notifyError } from '../notify';
import type { RunsPanelModel } from './model';

/** Whether to ask before runs are deleted; `stop` makes it not ask again. */
export interface IDeleteConfirmation {
  readonly wanted: boolean;
  stop(): void;
}

/** The runs an action is about. */
interface ITargets {
  runs: RunsModel;
  ids: string[];
  /** Those of them that the list knows. */
  known: Run[];
}

export function addRunActions(
  context: IActionContext,
  panel: RunsPanelModel,
  confirmation: IDeleteConfirmation
): void {
  const targets = (args: ReadonlyPartialJSONObject) => findTargets(panel, args);
  /** A run that the list does not know may be in any state: the server will say. */
  const allowed =
    (able: (run: Run) => boolean) => (args: ReadonlyPartialJSONObject) => {
      const { ids, known } = targets(args);
      return ids.length > 0 && (!known.length || known.some(able));
    };

  addAction(context, CommandIDs.openRun, {
    isEnabled: args => targets(args).ids.length > 0,
    execute: args => {
      const { runs, ids } = targets(args);
      ids.forEach(id => panel.service.openRun(runs.connection, id));
    }
  });

  addAction(context, CommandIDs.stopRun, {
    isEnabled: allowed(canStop),
    execute: args => {
      const { runs, ids } = narrow(targets(args), canStop);
      return forEach(ids, id => runs.terminate(id));
    }
  });

  addAction(context, CommandIDs.retryRun, {
    isEnabled: allowed(canRetry),
    execute: args => {
      const { runs, ids } = narrow(targets(args), canRetry);
      return forEach(ids, id => runs.retry(id));
    }
  });

  addAction(context, CommandIDs.deleteRun, {
    isEnabled: allowed(run => isFinal(run.state)),
    execute: async args => {
      const chosen = narrow(targets(args), run => isFinal(run.state));
      if (await confirmDelete(chosen, confirmation, context)) {
        await forEach(chosen.ids, id => chosen.runs.delete(id));
      }
    }
  });

  addAction(context, CommandIDs.copyRunId, {
    isEnabled: args => targets(args).ids.length > 0,
    execute: args => Clipboard.copyToSystem(targets(args).ids.join('\n'))
  });

  addAction(context, CommandIDs.refresh, {
    execute: async () => {
      await Promise.all([
        panel.service.connections.refresh(),
        panel.runs.refresh()
      ]);
    }
  });

  panel.changed.connect(() => context.commands.notifyCommandChanged());
}

/** Those that the arguments name; without names, those selected in the panel. */
function findTargets(
  panel: RunsPanelModel,
  args: ReadonlyPartialJSONObject
): ITargets {
  const named = typeof args.connection === 'string' && args.connection;
  const runs = named ? panel.service.runs(named) : panel.runs;
  const ids = Array.isArray(args.run_ids)
    ? args.run_ids.map(String)
    : args.run_id
      ? [String(args.run_id)]
      : [...panel.selection.ids];
  const known = (runs.runs ?? []).filter(run => ids.includes(run.run_id));
  return { runs, ids, known };
}

/** The targets without those known to be unable. */
function narrow(targets: ITargets, able: (run: Run) => boolean): ITargets {
  const unable = new Set(
    targets.known.filter(run => !able(run)).map(run => run.run_id)
  );
  return { ...targets, ids: targets.ids.filter(id => !unable.has(id)) };
}

/** Does all, then says what failed: once, even where many did. */
async function forEach(
  ids: readonly string[],
  action: (id: string) => Promise<void>
): Promise<void> {
  const results = await Promise.allSettled(ids.map(action));
  const failed = results.find(
    (result): result is PromiseRejectedResult => result.status === 'rejected'
  );
  if (failed) {
    notifyError(failed.reason);
  }
}

async function confirmDelete(
  { ids, known }: ITargets,
  confirmation: IDeleteConfirmation,
  { trans }: IActionContext
): Promise<boolean> {
  if (!ids.length || !confirmation.wanted) {
    return ids.length > 0;
  }
  const name = known.find(run => run.run_id === ids[0])?.display_name ?? ids[0];
  const { button, isChecked } = await showDialog({
    title:
      ids.length === 1
        ? trans.__('Delete the run “%1”?', name)
        : trans._n('Delete %1 run?', 'Delete %1 runs?', ids.length, ids.length),
    body: trans.__(
      'The logs and artifacts are deleted too. This cannot be undone.'
    ),
    checkbox: { label: trans.__('Do not ask again'), caption: '' },
    buttons: [
      Dialog.cancelButton(),
      Dialog.warnButton({ label: trans.__('Delete') })
    ]
  });
  if (button.accept && isChecked) {
    confirmation.stop();
  }
  return button.accept;
}
