/** Where a failure is to be looked for. */
import type { ViewerModel } from './model';

/** The first executable task that failed; a failed group only repeats it. */
export function firstFailed(model: ViewerModel): string | null {
  const { topology, tasks } = model.run;
  const failed = (topology?.tasks ?? []).filter(
    task => tasks[task.id]?.state === 'FAILED'
  );
  const leaf = failed.find(task => !model.scopes?.isGroup(task));
  return (leaf ?? failed[0])?.id ?? null;
}
