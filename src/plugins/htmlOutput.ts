/** The plugin that renders HTML outputs in their sandbox, in the run viewer and in notebooks. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { HTML_MIME, SandboxedHtml } from '../views/sandboxedHtml';

export const htmlOutput: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-pipelines:html-output',
  description: 'Renders HTML outputs of pipelines in a sandbox.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('jupyterlab_pipelines');
    rendermime.addFactory(
      {
        safe: true,
        mimeTypes: [HTML_MIME],
        createRenderer: () => new SandboxedHtml(trans)
      },
      // Before text/html (50), which is its fallback.
      40
    );
  }
};
