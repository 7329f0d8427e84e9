/** The plugin of pipeline files: their type, and running them from file browser and editor. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import { DocumentWidget } from '@jupyterlab/docregistry';
import { IFileBrowserFactory } from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { IPipelines, IRunsPanel } from '../tokens';
// Menus need the command and the file browser the icon at once; the dialog loads when opened.
/* eslint-disable jupyter/prefer-lazy-imports */
import { addAction, CommandIDs } from '../commands';
import { pipelineFileIcon } from '../icons';
/* eslint-enable jupyter/prefer-lazy-imports */

const YAML = /\.ya?ml$/i;

export const files: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-pipelines:files',
  description: 'Runs compiled pipelines from the file browser and the editor.',
  autoStart: true,
  requires: [IPipelines],
  optional: [ICommandPalette, IFileBrowserFactory, IRunsPanel, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    service: IPipelines,
    palette: ICommandPalette | null,
    browsers: IFileBrowserFactory | null,
    panel: IRunsPanel | null,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyterlab_pipelines');
    app.docRegistry.addFileType({
      name: 'pipelines-pipeline',
      displayName: trans.__('Pipeline'),
      extensions: ['.pipeline.yaml', '.pipeline.yml'],
      mimeTypes: ['text/x-yaml', 'text/yaml'],
      fileFormat: 'text',
      icon: pipelineFileIcon
    });

    const openPath = (): string | null => pathOf(app.shell.currentWidget);
    const selectedPath = (): string | null => {
      const items = browsers?.tracker.currentWidget?.selectedItems();
      const item = items?.next().value as { path: string } | undefined;
      return item && YAML.test(item.path) ? item.path : null;
    };
    /** In the editor's menu the open file, in the file browser's the selected one. */
    const find = (args: { path?: unknown; source?: unknown }) => {
      if (typeof args.path === 'string' && args.path) {
        return args.path;
      }
      if (args.source === 'editor') {
        return openPath();
      }
      return args.source === 'browser'
        ? selectedPath()
        : (openPath() ?? selectedPath());
    };

    const context = { commands: app.commands, palette, trans };
    addAction(context, CommandIDs.runFile, {
      isEnabled: args => find(args) !== null,
      isVisible: args => args.source !== 'editor' || find(args) !== null,
      execute: async args => {
        const path = find(args);
        if (path === null) {
          return;
        }
        const text = await readText(app, path);
        if (text === null) {
          Notification.error(
            trans.__('%1 could not be read as text.', PathExt.basename(path)),
            { autoClose: false }
          );
          return;
        }
        const { runPipeline } = await import('../views/submit/runPipeline');
        await runPipeline({
          service,
          connection: (await panel?.settled()) ?? 'local',
          file: PathExt.basename(path),
          text,
          trans
        });
      }
    });
  }
};

/** Path of the YAML file a widget shows, or null. */
function pathOf(widget: unknown): string | null {
  const path = widget instanceof DocumentWidget ? widget.context.path : '';
  return YAML.test(path) ? path : null;
}

/** The text as it stands in an open editor, else on disk; null where it is not text. */
async function readText(
  app: JupyterFrontEnd,
  path: string
): Promise<string | null> {
  for (const widget of app.shell.widgets('main')) {
    if (widget instanceof DocumentWidget && widget.context.path === path) {
      await widget.context.ready;
      return widget.context.model.toString();
    }
  }
  try {
    const { content } = await app.serviceManager.contents.get(path, {
      type: 'file',
      format: 'text',
      content: true
    });
    return typeof content === 'string' ? content : null;
  } catch {
    return null;
  }
}
