/** Asks the notebook's kernel what its variables are, without leaving a trace in it. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { PipelinesClient } from '../../api/client';
import type { KernelVariable } from '../../api/types';

/** Seconds a kernel may take to look at its variables. */
const PATIENCE_S = 15;

export interface IProbeResult {
  variables: KernelVariable[];
  /** The kernel's Python; null where it was not asked. */
  interpreter: string | null;
  /** Imported module → `name==version`, or null for a file beside the notebook. */
  distributions: Record<string, string | null>;
  /** The kernel's folder; empty where it was not asked. */
  workingDirectory: string;
  /** Why it was not asked, or did not answer; else empty. */
  note: string;
}

/** What to ask about: variables, and modules whose packages are wanted. */
export interface IQuestion {
  names: string[];
  modules: string[];
}

/** What the kernel knows. Never rejects: the note says what went wrong. */
export async function probeKernel(
  session: ISessionContext,
  client: PipelinesClient,
  question: IQuestion,
  trans: TranslationBundle
): Promise<IProbeResult> {
  const without = (note: string): IProbeResult => ({
    variables: [],
    interpreter: null,
    distributions: {},
    workingDirectory: '',
    note
  });
  const kernel = session.session?.kernel;
  if (!kernel || kernel.status === 'dead' || kernel.isDisposed) {
    return without(
      trans.__(
        'The notebook has no running kernel: inputs will be recomputed, with the server’s Python. Start the kernel to use its values.'
      )
    );
  }
  if (kernel.status !== 'idle') {
    return without(
      trans.__(
        'The kernel is busy: inputs will be recomputed. Open this dialog again when it is idle to use its values.'
      )
    );
  }
  try {
    const output = await execute(
      kernel,
      await client.probe(question.names, question.modules)
    );
    return { ...parseProbe(output), note: '' };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return without(
      trans.__(
        'The kernel could not be asked for its values, so inputs will be recomputed. %1',
        reason
      )
    );
  }
}

/** What silent code printed. It enters neither the history nor the cells' numbering. */
async function execute(
  kernel: Kernel.IKernelConnection,
  code: string
): Promise<string> {
  const future = kernel.requestExecute({
    code,
    silent: true,
    store_history: false,
    allow_stdin: false
  });
  let output = '';
  future.onIOPub = message => {
    if (message.header.msg_type === 'stream') {
      const { name, text } = message.content as { name: string; text: string };
      output += name === 'stdout' ? text : '';
    }
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`No answer within ${PATIENCE_S} s.`)),
        PATIENCE_S * 1000
      );
    });
    const reply = await Promise.race([future.done, late]);
    if (reply.content.status !== 'ok') {
      throw new Error(
        reply.content.status === 'error' ? reply.content.evalue : ''
      );
    }
    return output;
  } finally {
    clearTimeout(timer);
    future.dispose();
  }
}

/** Reads what the probe printed between its markers. */
export function parseProbe(output: string): Omit<IProbeResult, 'note'> {
  const match = /<pipelines-probe>(.*)<\/pipelines-probe>/s.exec(output);
  if (!match) {
    throw new Error('Its answer could not be read.');
  }
  const answer = JSON.parse(match[1]) as {
    variables: KernelVariable[];
    executable: string;
    distributions?: Record<string, string | null>;
    cwd?: string;
  };
  return {
    variables: answer.variables,
    interpreter: answer.executable,
    distributions: answer.distributions ?? {},
    workingDirectory: answer.cwd ?? ''
  };
}
