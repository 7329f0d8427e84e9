/** From a pipeline's text to a run: asks for parameters, submits, and opens the run. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '../../api/types';
import type { IPipelines } from '../../tokens';
import { FormDialog } from '../formDialog';
import { PipelineDraft } from './pipelineDraft';
import { makePipelineForm } from './pipelineForm';

export interface IRunPipelineOptions {
  service: IPipelines;
  /** The connection proposed. */
  connection: string;
  /** Name of the file, for the title. */
  file: string;
  /** Compiled IR. */
  text: string;
  trans: TranslationBundle;
}

export async function runPipeline(options: IRunPipelineOptions): Promise<void> {
  const { service, connection, file, text, trans } = options;
  void service.connections.start();
  const draft = new PipelineDraft({
    client: service.client,
    connection,
    text,
    proposeName: pipeline => `${pipeline || file} ${minuteOf(new Date())}`,
    trans
  });
  // eslint-disable-next-line jupyter/require-disposable-ownership -- a dialog disposes itself
  const dialog = new FormDialog<Run>({
    title: trans.__('Run %1', file),
    body: makePipelineForm({ draft, connections: service.connections, trans }),
    accept: trans.__('Run'),
    busy: trans.__('Starting…'),
    focus: 'input',
    className: 'jp-mod-middle',
    trans
  });
  void draft.read();
  const run = await dialog.ask();
  if (run) {
    service.openRun(draft.connection, run.run_id);
  }
}

/** A moment as `2026-05-10 09:07`, in the user's zone. */
function minuteOf(moment: Date): string {
  const two = (number: number) => String(number).padStart(2, '0');
  const date = [
    moment.getFullYear(),
    two(moment.getMonth() + 1),
    two(moment.getDate())
  ].join('-');
  return `${date} ${two(moment.getHours())}:${two(moment.getMinutes())}`;
}
