/** The array of plugins that JupyterLab activates; nothing else. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';

const plugins: JupyterFrontEndPlugin<unknown>[] = [
  {
    id: 'jupyterlab-pipelines:plugin',
    description: 'Proves that the extension is loaded.',
    autoStart: true,
    activate: (app: JupyterFrontEnd) => undefined
  }
];

export default plugins;
