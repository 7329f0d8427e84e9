/** A run query applied in the browser, so that a pushed run finds its place without a request. */
import type { Run, RunQuery } from '../api/types';
import { durationMs } from './states';

/** Whether the list that `query` asks for contains this run. */
export function matches(run: Run, query: RunQuery): boolean {
  const name = query.name?.trim().toLowerCase();
  return (
    run.archived === (query.archived ?? false) &&
    (!name || run.display_name.toLowerCase().includes(name)) &&
    (!query.states?.length || query.states.includes(run.state)) &&
    (!query.experiment_id || run.experiment_id === query.experiment_id) &&
    (!query.pipeline_name || run.pipeline_name === query.pipeline_name)
  );
}

/** The order of the list, as a function for `Array.sort`. */
export function comparator(query: RunQuery): (a: Run, b: Run) => number {
  const key = sortKey(query.sort_by ?? 'created_at');
  const sign = (query.descending ?? true) ? -1 : 1;
  return (a, b) =>
    sign * compare(key(a), key(b)) || compare(a.run_id, b.run_id);
}

type Key = string | number;

function sortKey(field: NonNullable<RunQuery['sort_by']>): (run: Run) => Key {
  switch (field) {
    case 'created_at':
      return run => Date.parse(run.created_at);
    case 'finished_at':
      return run => (run.finished_at ? Date.parse(run.finished_at) : 0);
    case 'duration':
      return run => durationMs(run) ?? -1;
    case 'display_name':
      return run => run.display_name;
    case 'state':
      return run => run.state;
  }
}

function compare(a: Key, b: Key): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
