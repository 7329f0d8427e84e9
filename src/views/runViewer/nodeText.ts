/** The words on and about a node: cut to its width, and in full for a screen reader. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { TaskStatus } from '../../api/types';
import type { IDrawNode } from '../../graph/model';
import type { RunModel } from '../../models/run';
import { durationMs } from '../../models/states';
import { stateLabel } from '../stateMark';
import { formatDuration } from '../time';

/** Cuts a text to about `width` pixels, in its middle: both ends tell names apart. */
export function cut(text: string, width: number, character: number): string {
  const fits = Math.max(3, Math.floor(width / character));
  if (text.length <= fits) {
    return text;
  }
  const head = Math.ceil((fits - 1) * 0.62);
  return `${text.slice(0, head)}…${text.slice(text.length - (fits - 1 - head))}`;
}

/** What kind of thing a node is, in one word. */
export function kindLabel(node: IDrawNode, trans: TranslationBundle): string {
  switch (node.taskType) {
    case null:
      return node.caption;
    case 'RUNTIME':
      return trans.__('Step');
    case 'IMPORTER':
      return trans.__('Importer');
    case 'DAG':
      return trans.__('Sub-pipeline');
    case 'CONDITION':
      return trans.__('Condition');
    case 'CONDITION_BRANCH':
      return trans.__('Branches');
    case 'LOOP':
      return trans.__('Loop');
    case 'LOOP_ITERATION':
      return trans.__('Iteration');
    case 'EXIT_HANDLER':
      return trans.__('Exit handler');
  }
}

/** A node in one sentence. */
export function describe(
  node: IDrawNode,
  run: RunModel,
  trans: TranslationBundle
): string {
  const parts = [node.label, kindLabel(node, trans)];
  const status: TaskStatus | undefined = run.tasks[node.id];
  if (status) {
    parts.push(stateLabel(status.state, trans));
    const duration = formatDuration(durationMs(status));
    if (duration) {
      parts.push(duration);
    }
  } else if (node.kind === 'artifact') {
    parts.push(
      run.artifacts[node.id] ? trans.__('exists') : trans.__('not yet there')
    );
  }
  if (node.kind === 'group') {
    parts.push(node.expanded ? trans.__('expanded') : trans.__('collapsed'));
  }
  return parts.join(', ');
}
