/** The actions on connections: add, change, test, remove, and what the panel shows. */
import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Connection } from '../../api/types';
import { addAction, CommandIDs, type IActionContext } from '../../commands';
import type { IPipelines, IRunsPanel } from '../../tokens';
import { notifyError } from '../notify';
import type { IConnectionFormOptions } from './form';

export function addConnectionActions(
  context: IActionContext,
  service: IPipelines,
  panel: IRunsPanel
): void {
  const { trans } = context;
  const { connections } = service;
  const named = (args: ReadonlyPartialJSONObject) =>
    typeof args.connection === 'string' && args.connection
      ? args.connection
      : panel.connection;
  const meant = (args: ReadonlyPartialJSONObject) =>
    connections.find(named(args));
  const isRemote = (args: ReadonlyPartialJSONObject) =>
    meant(args)?.kind === 'kubeflow';
  /** What comes by itself cannot be changed. */
  const isOwn = (args: ReadonlyPartialJSONObject) =>
    meant(args)?.removable ?? false;

  /** Opens the form and shows the connection that it stored. */
  const ask = async (
    options: Pick<
      IConnectionFormOptions,
      'proposal' | 'settings' | 'atSecret' | 'test'
    >
  ): Promise<string | null> => {
    const { askForConnection } = await import('./form');
    const name = await askForConnection({ connections, trans, ...options });
    if (name) {
      panel.choose(name);
      void service.runs(name).restart();
    }
    return name;
  };

  /** The user's own is changed; one that was found is the pattern for a new one. */
  const open = async (
    connection: Connection,
    options: Pick<IConnectionFormOptions, 'atSecret' | 'test'>
  ): Promise<string | null> => {
    const { name, host, ui_host, namespace } = connection;
    if (!connection.removable) {
      const proposal = { host, ui_host, namespace };
      return ask({ proposal, atSecret: options.atSecret });
    }
    try {
      return await ask({
        ...options,
        settings: await connections.settings(name)
      });
    } catch (error) {
      notifyError(error);
      return null;
    }
  };

  addAction(context, CommandIDs.addConnection, {
    execute: async () => {
      await connections.refresh();
      return ask({});
    }
  });

  addAction(context, CommandIDs.editConnection, {
    isEnabled: args => isOwn(args) || (!!args.secret && isRemote(args)),
    execute: args => {
      const connection = meant(args);
      return connection && open(connection, { atSecret: !!args.secret });
    }
  });

  addAction(context, CommandIDs.testConnection, {
    isEnabled: isRemote,
    execute: async args => {
      const connection = meant(args);
      if (connection?.removable) {
        await open(connection, { test: true });
      } else if (connection) {
        const { showTest } = await import('./testDialog');
        await showTest(connection, connections, trans);
      }
    }
  });

  addAction(context, CommandIDs.removeConnection, {
    isEnabled: isOwn,
    execute: async args => {
      const name = named(args);
      if (!(await confirmRemoval(name, trans))) {
        return;
      }
      try {
        await connections.remove(name);
      } catch (error) {
        notifyError(error);
      }
    }
  });

  addAction(context, CommandIDs.switchConnection, {
    execute: async args => {
      await connections.refresh();
      const names = connections.connections?.map(({ name }) => name) ?? [];
      const name =
        typeof args.connection === 'string' && args.connection
          ? args.connection
          : await pick(trans.__('Switch connection'), names, panel.connection);
      if (name && names.includes(name)) {
        panel.choose(name);
      }
    }
  });

  addAction(context, CommandIDs.switchNamespace, {
    isEnabled: isRemote,
    execute: async args => {
      const connection = named(args);
      try {
        const namespace =
          typeof args.namespace === 'string'
            ? args.namespace
            : await askForNamespace(connection, service, trans);
        if (namespace !== null) {
          await connections.chooseNamespace(connection, namespace);
          await service.runs(connection).restart();
        }
      } catch (error) {
        notifyError(error);
      }
    }
  });
}

async function confirmRemoval(
  name: string,
  trans: TranslationBundle
): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Remove the connection “%1”?', name),
    body: trans.__(
      'Its address and secrets are forgotten here. Its runs stay where they are.'
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({ label: trans.__('Remove') })
    ]
  });
  return button.accept;
}

/** Any name where the endpoint does not tell which there are. */
async function askForNamespace(
  connection: string,
  { connections }: IPipelines,
  trans: TranslationBundle
): Promise<string | null> {
  const { namespaces, current } = await connections.loadNamespaces(connection);
  const title = trans.__('Switch namespace of “%1”', connection);
  return namespaces.length
    ? pick(title, namespaces, current)
    : (await InputDialog.getText({ title, text: current })).value;
}

async function pick(
  title: string,
  items: readonly string[],
  current: string
): Promise<string | null> {
  const { value } = await InputDialog.getItem({
    title,
    items: [...items],
    current: Math.max(0, items.indexOf(current))
  });
  return value;
}
