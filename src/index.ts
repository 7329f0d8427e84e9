/** The array of plugins that JupyterLab activates; nothing else. */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { cells } from './plugins/cells';
import { files } from './plugins/files';
import { htmlOutput } from './plugins/htmlOutput';
import { panel } from './plugins/panel';
import { service } from './plugins/service';
import { viewer } from './plugins/viewer';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  service,
  panel,
  cells,
  files,
  viewer,
  htmlOutput
];

export default plugins;
