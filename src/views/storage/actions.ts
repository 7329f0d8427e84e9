/** The action on disk use: show it, and free some of it. */
import { Notification } from '@jupyterlab/apputils';
import { addAction, CommandIDs, type IActionContext } from '../../commands';
import { StorageModel } from '../../models/storage';
import type { IPipelines } from '../../tokens';
import { formatBytes } from '../bytes';

/** The connection whose runs are on this machine. */
const LOCAL = 'local';

export function addStorageActions(
  context: IActionContext,
  service: IPipelines
): void {
  const { trans } = context;
  addAction(context, CommandIDs.diskUse, {
    execute: async () => {
      const { showStorage } = await import('./storageDialog');
      const model = new StorageModel(service.client, LOCAL);
      const done = await showStorage(model, trans);
      if (done) {
        Notification.success(
          trans.__(
            'Freed %1; %2 are in use.',
            formatBytes(done.freed),
            formatBytes(done.total)
          ),
          { autoClose: 5000 }
        );
      }
    }
  });
}
