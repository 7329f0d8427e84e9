/** The array of plugins that JupyterLab activates; nothing else. */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { cells } from './plugins/cells';
import { files } from './plugins/files';
import { panel } from './plugins/panel';
import { service } from './plugins/service';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  service,
  panel,
  cells,
  files
];

export default plugins;
