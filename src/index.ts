/** The array of plugins that JupyterLab activates; nothing else. */
import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { panel } from './plugins/panel';
import { service } from './plugins/service';

const plugins: JupyterFrontEndPlugin<unknown>[] = [service, panel];

export default plugins;
