/** The plugin of the run viewer: opens runs, restores their tabs, follows deep links. */
import {
  ILayoutRestorer,
  IRouter,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import {
  ITranslator,
  nullTranslator,
  type TranslationBundle
} from '@jupyterlab/translation';
import { IPipelines, type IOpenRunOptions } from '../tokens';
import type { RunViewer } from '../views/runViewer/widget';

type Tab = MainAreaWidget<RunViewer>;

/** Both are for the lab itself, not for the palette. */
const SHOW_RUN = 'pipelines:show-run';
const FOLLOW_LINK = 'pipelines:follow-link';

/** The parameter of the page's address that names a run: `<connection>/<run id>`. */
const PARAMETER = 'pipelines-run';
const RUN_LINK = /^([a-z][a-z0-9-]*)\/([A-Za-z0-9._-]+)$/;

export const viewer: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-pipelines:viewer',
  description: 'Shows a run: its graph, logs and outputs.',
  autoStart: true,
  requires: [IPipelines, IRenderMimeRegistry],
  optional: [ILayoutRestorer, IRouter, IEditorLanguageRegistry, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    pipelines: IPipelines,
    rendermime: IRenderMimeRegistry,
    restorer: ILayoutRestorer | null,
    router: IRouter | null,
    languages: IEditorLanguageRegistry | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyterlab_pipelines');
    const tabs = new RunTabs(app, pipelines, rendermime, languages, trans);
    pipelines.opener = (connection, runId, options) =>
      void tabs.open(connection, runId, options);
    app.commands.addCommand(SHOW_RUN, {
      label: trans.__('Show run'),
      describedBy: { args: null },
      execute: args =>
        tabs.open(String(args.connection), String(args.run_id), {
          activate: false
        })
    });
    if (restorer) {
      void restorer.restore(tabs.tracker, {
        command: SHOW_RUN,
        args: ({ content: { model } }) => ({
          connection: model.connection,
          run_id: model.runId
        }),
        name: ({ content: { model } }) => `${model.connection}:${model.runId}`
      });
    }
    if (router) {
      followLinks(app, router, pipelines, trans);
    }
  }
};

/** The open runs, one tab a run. */
class RunTabs {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly pipelines: IPipelines,
    private readonly rendermime: IRenderMimeRegistry,
    private readonly languages: IEditorLanguageRegistry | null,
    private readonly trans: TranslationBundle
  ) {}

  readonly tracker = new WidgetTracker<Tab>({
    namespace: 'jupyterlab-pipelines-runs'
  });

  async open(
    connection: string,
    runId: string,
    options: IOpenRunOptions = {}
  ): Promise<void> {
    const key = `${connection}/${runId}`;
    let opening = this.opened.get(key);
    if (!opening) {
      opening = this.create(connection, runId);
      this.opened.set(key, opening);
      opening.catch(() => this.opened.delete(key));
    }
    const tab = await opening;
    if (options.taskId) {
      tab.content.model.reveal(options.taskId);
    }
    if (options.activate ?? true) {
      this.app.shell.activateById(tab.id);
    }
  }

  private async create(connection: string, runId: string): Promise<Tab> {
    // The viewer is loaded with the first run that is opened.
    const { createRunViewer } = await import('../views/runViewer');
    const { pipelines, rendermime, languages, trans } = this;
    const content = createRunViewer({
      pipelines,
      connection,
      runId,
      rendermime,
      languages,
      trans
    });
    const tab = new MainAreaWidget({ content });
    tab.id = `jupyterlab-pipelines-${connection}-${runId}`;
    tab.toolbar.hide();
    tab.disposed.connect(() => this.opened.delete(`${connection}/${runId}`));
    await this.tracker.add(tab);
    this.app.shell.add(tab, 'main');
    return tab;
  }

  private readonly opened = new Map<string, Promise<Tab>>();
}

/** `lab?pipelines-run=<connection>/<id>` opens the run once the lab has its layout back. */
function followLinks(
  app: JupyterFrontEnd,
  router: IRouter,
  pipelines: IPipelines,
  trans: TranslationBundle
): void {
  app.commands.addCommand(FOLLOW_LINK, {
    label: trans.__('Open the run that the address names'),
    describedBy: { args: null },
    execute: args => {
      const { path, search, hash } = args as unknown as IRouter.ILocation;
      const parameters = new URLSearchParams(search);
      const link = RUN_LINK.exec(parameters.get(PARAMETER) ?? '');
      parameters.delete(PARAMETER);
      const rest = parameters.toString();
      // A reload must not open again what the user has closed meanwhile.
      const address = (path ?? '') + (rest ? `?${rest}` : '') + (hash ?? '');
      router.navigate(address, { skipRouting: true });
      if (link) {
        const [, connection, runId] = link;
        void app.restored.then(() => pipelines.openRun(connection, runId));
      }
    }
  });
  router.register({
    command: FOLLOW_LINK,
    pattern: new RegExp(`[?&]${PARAMETER}=`)
  });
}
