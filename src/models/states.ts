/** What the states of runs and tasks mean: which are final, which can be stopped or retried. */
import type { Run, State } from '../api/types';

/** Every state, in the order in which a list of them reads well. */
export const STATES: readonly State[] = [
  'FAILED',
  'RUNNING',
  'PENDING',
  'PAUSED',
  'CANCELING',
  'CANCELED',
  'SUCCEEDED',
  'CACHED',
  'SKIPPED'
];

const FINAL: ReadonlySet<State> = new Set<State>([
  'SUCCEEDED',
  'CACHED',
  'SKIPPED',
  'FAILED',
  'CANCELED'
]);

/** Nothing will change any more unless the user retries. */
export function isFinal(state: State): boolean {
  return FINAL.has(state);
}

export function canStop(run: Run): boolean {
  return !isFinal(run.state) && run.state !== 'CANCELING';
}

export function canRetry(run: Run): boolean {
  return run.state === 'FAILED' || run.state === 'CANCELED';
}

/** Milliseconds a run or a task took, or has taken at `now`; null before it started. */
export function durationMs(
  times: {
    started_at: string | null;
    finished_at: string | null;
  },
  now: number = Date.now()
): number | null {
  if (!times.started_at) {
    return null;
  }
  const end = times.finished_at ? Date.parse(times.finished_at) : now;
  return Math.max(0, end - Date.parse(times.started_at));
}
