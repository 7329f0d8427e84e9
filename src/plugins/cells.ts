/** The plugin that runs selected cells of a notebook as a pipeline step. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IPipelines, IRunsPanel } from '../tokens';
// Menus and toolbars need the command at once; the dialog loads when first opened.
// eslint-disable-next-line jupyter/prefer-lazy-imports
import { addAction, CommandIDs } from '../commands';

const ID = 'jupyterlab-pipelines:cells';

export const cells: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Runs selected cells of a notebook as a pipeline step.',
  autoStart: true,
  requires: [IPipelines, INotebookTracker, IEditorServices],
  optional: [ICommandPalette, IRunsPanel, ISettingRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    service: IPipelines,
    notebooks: INotebookTracker,
    editors: IEditorServices,
    palette: ICommandPalette | null,
    panel: IRunsPanel | null,
    settings: ISettingRegistry | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyterlab_pipelines');
    const { commands } = app;
    addAction({ commands, palette, trans }, CommandIDs.runCells, {
      isEnabled: () =>
        notebooks.currentWidget !== null &&
        notebooks.currentWidget === app.shell.currentWidget,
      execute: async () => {
        const notebook = notebooks.currentWidget;
        if (!notebook) {
          return;
        }
        const { runCells } = await import('../views/submit/runCells');
        const caching = await settings?.get(ID, 'caching');
        await runCells(notebook, {
          service,
          editors,
          connection: (await panel?.settled()) ?? 'local',
          caching: caching?.composite !== false,
          trans
        });
      }
    });
    notebooks.selectionChanged.connect(() => {
      commands.notifyCommandChanged(CommandIDs.runCells);
    });
  }
};
