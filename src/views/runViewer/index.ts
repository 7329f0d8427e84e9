/** Makes a run viewer; the room's only door, so that all behind it loads with the first run. */
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Layouts } from '../../graph/layouts';
import { spawnLayoutWorker } from '../../graph/spawn';
import type { IPipelines } from '../../tokens';
import { outputRendermime } from './mime';
import { ViewerModel } from './model';
import { RunViewer } from './widget';

export interface IRunViewerRequest {
  pipelines: IPipelines;
  connection: string;
  runId: string;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry | null;
  trans: TranslationBundle;
}

/** One worker and one cache of layouts for all viewers of the page. */
const layouts = new Layouts(spawnLayoutWorker);

export function createRunViewer(request: IRunViewerRequest): RunViewer {
  const { pipelines, connection, runId, languages, trans } = request;
  return new RunViewer({
    model: new ViewerModel(pipelines, connection, runId, layouts),
    rendermime: outputRendermime(request.rendermime),
    languages,
    trans
  });
}
