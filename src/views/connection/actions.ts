/** The actions on connections: add and remove. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { addAction, CommandIDs, type IActionContext } from '../../commands';
import type { IPipelines, IRunsPanel } from '../../tokens';
import { notifyError } from '../notify';

export function addConnectionActions(
  context: IActionContext,
  service: IPipelines,
  panel: IRunsPanel
): void {
  const { trans } = context;
  const { connections } = service;
  const chosen = (args: { connection?: unknown }) =>
    typeof args.connection === 'string' && args.connection
      ? args.connection
      : panel.connection;

  addAction(context, CommandIDs.addConnection, {
    execute: async () => {
      const { addConnection } = await import('./addConnection');
      await connections.refresh();
      const name = await addConnection(connections, trans);
      if (name) {
        panel.choose(name);
      }
      return name;
    }
  });

  addAction(context, CommandIDs.removeConnection, {
    isEnabled: args => connections.find(chosen(args))?.removable ?? false,
    execute: async args => {
      const name = chosen(args);
      const { button } = await showDialog({
        title: trans.__('Remove the connection “%1”?', name),
        body: trans.__(
          'Its address and token are forgotten here. Its runs stay where they are.'
        ),
        buttons: [
          Dialog.cancelButton(),
          Dialog.warnButton({ label: trans.__('Remove') })
        ]
      });
      if (!button.accept) {
        return;
      }
      try {
        await connections.remove(name);
      } catch (error) {
        notifyError(error);
      }
    }
  });
}
