/** From selected cells to a run: reads the notebook, asks, and opens the run. */
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { IEditorServices } from '@jupyterlab/codeeditor';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '../../api/types';
import type { IPipelines } from '../../tokens';
import { FormDialog } from '../formDialog';
import { focusCell, importedModules, languageOf, readSelection } from './cells';
import { probeKernel } from './kernelProbe';
import { StepDraft } from './stepDraft';
import { makeStepForm } from './stepForm';

export interface IRunCellsOptions {
  service: IPipelines;
  editors: IEditorServices;
  /** The connection proposed. */
  connection: string;
  /** Whether to propose that earlier results are reused. */
  caching: boolean;
  trans: TranslationBundle;
}

export async function runCells(
  notebook: NotebookPanel,
  options: IRunCellsOptions
): Promise<void> {
  const { service, editors, trans } = options;
  const selection = readSelection(notebook);
  const obstacle =
    languageObstacle(await languageOf(notebook), trans) ??
    (selection.selected.length
      ? null
      : trans.__('No code cell is selected. Select one that is not empty.'));
  if (obstacle) {
    await showDialog({
      title: trans.__('Cannot run as a pipeline step'),
      body: obstacle,
      buttons: [Dialog.okButton()]
    });
    return;
  }
  void service.connections.start();
  const draft = new StepDraft({
    client: service.client,
    connection: options.connection,
    selection,
    caching: options.caching,
    probe: names =>
      probeKernel(
        notebook.sessionContext,
        service.client,
        { names, modules: importedModules(selection.cells) },
        trans
      ),
    invalidJson: (name, reason) =>
      trans.__('The value of “%1” is not valid JSON: %2', name, reason)
  });
  const form = makeStepForm({
    draft,
    connections: service.connections,
    editors,
    onGo: problem => {
      dialog.reject();
      focusCell(notebook.content, problem.cell ?? '', problem.line);
    },
    trans
  });
  // eslint-disable-next-line jupyter/require-disposable-ownership -- a dialog disposes itself
  const dialog = new FormDialog<Run>({
    title: trans.__('Run as pipeline step'),
    body: form,
    accept: trans.__('Run'),
    busy: trans.__('Starting…'),
    focus: 'input',
    className: 'jp-mod-wide',
    trans
  });
  void draft.start();
  const run = await dialog.ask();
  if (run) {
    service.openRun(draft.connection, run.run_id);
  }
}

function languageObstacle(
  language: string,
  trans: TranslationBundle
): string | null {
  return !language || /^i?python/.test(language)
    ? null
    : trans.__(
        'This notebook is in %1, and a pipeline step runs Python. Choose a Python kernel for the notebook, then try again.',
        language
      );
}
