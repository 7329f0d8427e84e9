/** The plugin of the left sidebar: the list of runs, and the actions on runs and connections. */
import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { PromiseDelegate } from '@lumino/coreutils';
import { IPipelines, IRunsPanel } from '../tokens';
// The sidebar's icon and the menus need these at once; what is drawn loads when first shown.
/* eslint-disable jupyter/prefer-lazy-imports */
import { addAction, CommandIDs, type IActionContext } from '../commands';
import { addConnectionActions } from '../views/connection/actions';
import { addStorageActions } from '../views/storage/actions';
import { addRunActions } from '../views/runsPanel/actions';
import { RunsPanelModel } from '../views/runsPanel/model';
import { RunsPanel } from '../views/runsPanel/widget';
/* eslint-enable jupyter/prefer-lazy-imports */

const ID = 'jupyterlab-pipelines:panel';

/** Place among the left sidebar's tabs: after JupyterLab's own. */
const RANK = 600;

/** Where the example may be in the file browser's root: its folder and its name. */
const EXAMPLES = ['', 'examples'];
const EXAMPLE = 'digits.ipynb';

export const panel: JupyterFrontEndPlugin<IRunsPanel> = {
  id: ID,
  description: 'Lists pipeline runs in the left sidebar.',
  autoStart: true,
  provides: IRunsPanel,
  requires: [IPipelines],
  optional: [
    ICommandPalette,
    ILayoutRestorer,
    ISettingRegistry,
    IStateDB,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    service: IPipelines,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    settings: ISettingRegistry | null,
    state: IStateDB | null,
    translator: ITranslator | null
  ): IRunsPanel => {
    const trans = (translator ?? nullTranslator).load('jupyterlab_pipelines');
    const context: IActionContext = { commands: app.commands, palette, trans };
    const restored = new PromiseDelegate<void>();
    const model = new RunsPanelModel(service, restored.promise);
    const preferences = new Preferences(model, settings, state);
    addConnectionActions(context, service, model);
    addRunActions(context, model, preferences);
    addStorageActions(context, service);

    const widget = new RunsPanel({
      model,
      commands: app.commands,
      findExample: () => findExample(app),
      trans
    });
    app.shell.add(widget, 'left', { rank: RANK });
    restorer?.add(widget, widget.id);
    addAction(context, CommandIDs.showPanel, {
      execute: () => app.shell.activateById(widget.id)
    });
    addAction(context, CommandIDs.openExample, {
      execute: async args => {
        const path = args.path ?? (await findExample(app));
        return path
          ? app.commands.execute('docmanager:open', { path })
          : undefined;
      }
    });
    void preferences.restore().finally(() => restored.resolve());
    return model;
  }
};

/** The user's settings, and the connection that was last chosen in this workspace. */
class Preferences {
  constructor(
    private readonly model: RunsPanelModel,
    private readonly registry: ISettingRegistry | null,
    private readonly state: IStateDB | null
  ) {}

  /** Whether to ask before runs are deleted. */
  get wanted(): boolean {
    return this._settings?.get('confirmDelete').composite !== false;
  }

  /** Does not ask before deleting any more. */
  stop(): void {
    void this._settings?.set('confirmDelete', false);
  }

  async restore(): Promise<void> {
    this._settings = (await this.registry?.load(ID).catch(warn)) ?? null;
    this._settings?.changed.connect(this._apply, this);
    this._apply();
    const wanted = this._settings?.get('defaultConnection').composite;
    const last = await this.state?.fetch(ID).catch(warn);
    const name = wanted || (last as { connection?: string })?.connection;
    if (typeof name === 'string' && name) {
      this._last = name;
      this.model.choose(name);
    }
    this.model.changed.connect(this._remember, this);
  }

  private _apply(): void {
    const size = this._settings?.get('pageSize').composite;
    if (typeof size === 'number') {
      this.model.setPageSize(size);
    }
  }

  /** Only what the user chose: otherwise the server's preference holds next time too. */
  private _remember(): void {
    const connection = this.model.isChosen ? this.model.connection : '';
    if (connection !== this._last) {
      this._last = connection;
      void this.state?.save(ID, { connection });
    }
  }

  private _settings: ISettingRegistry.ISettings | null = null;
  private _last = '';
}

function warn(error: unknown): null {
  console.warn('The settings of the pipelines panel could not be read.', error);
  return null;
}

/** Path of the example notebook, or null. Folders are listed, so a missing file is no error. */
async function findExample(app: JupyterFrontEnd): Promise<string | null> {
  const { contents } = app.serviceManager;
  const there = async (folder: string, name: string): Promise<boolean> => {
    const { content } = await contents.get(folder);
    return (content as { name: string }[]).some(item => item.name === name);
  };
  try {
    for (const folder of EXAMPLES) {
      if (folder && !(await there('', folder))) {
        continue;
      }
      if (await there(folder, EXAMPLE)) {
        return folder ? `${folder}/${EXAMPLE}` : EXAMPLE;
      }
    }
  } catch {
    // Without a listing there is nothing to offer; the rest of the panel stands.
  }
  return null;
}
