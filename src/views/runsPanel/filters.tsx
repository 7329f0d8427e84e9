/** What narrows and orders the list: a part of the name, states, and a sort. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon, searchIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useState } from 'react';
import type { RunQuery, State } from '../../api/types';
import { StateIcon } from '../stateMark';

/** Milliseconds after the last key before the search is asked for. */
const PAUSE = 200;

/** Chips: the states a user thinks of together. */
const GROUPS = {
  active: ['PENDING', 'RUNNING', 'CANCELING', 'PAUSED'],
  succeeded: ['SUCCEEDED'],
  failed: ['FAILED'],
  canceled: ['CANCELED']
} as const satisfies Record<string, readonly State[]>;

type Group = keyof typeof GROUPS;

const MARKS: Record<Group, State> = {
  active: 'RUNNING',
  succeeded: 'SUCCEEDED',
  failed: 'FAILED',
  canceled: 'CANCELED'
};

type Sort = NonNullable<RunQuery['sort_by']>;

export interface IFiltersProps {
  query: Readonly<RunQuery>;
  /** How many runs are shown or selected, for screen readers. */
  summary: string;
  /** How many runs there are; null where nobody knows. */
  count: number | null;
  trans: TranslationBundle;
  onChange: (change: Partial<RunQuery>) => void;
}

/** Whether the query leaves out any run. */
export function isFiltered(query: Readonly<RunQuery>): boolean {
  return !!query.name?.trim() || !!query.states?.length;
}

export function Filters(props: IFiltersProps): JSX.Element {
  const { query, summary, count, trans, onChange } = props;
  return (
    <div className="jp-PipelinesRuns-filters" role="search">
      <Search
        value={query.name ?? ''}
        hint={
          count && !isFiltered(query)
            ? trans._n(
                'Search %1 run',
                'Search %1 runs',
                count,
                count.toLocaleString()
              )
            : trans.__('Search runs by name')
        }
        trans={trans}
        onChange={name => onChange({ name })}
      />
      <div className="jp-PipelinesRuns-chips">
        <Chips
          states={query.states ?? []}
          trans={trans}
          onChange={states => onChange({ states })}
        />
        <SortSelect query={query} trans={trans} onChange={onChange} />
      </div>
      <span className="jp-PipelinesRuns-summary" aria-live="polite">
        {summary}
      </span>
    </div>
  );
}

function Search(props: {
  value: string;
  hint: string;
  trans: TranslationBundle;
  onChange: (name: string) => void;
}): JSX.Element {
  const { value, hint, trans, onChange } = props;
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) {
      return;
    }
    const timer = setTimeout(() => onChange(text), PAUSE);
    return () => clearTimeout(timer);
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [text]);
  return (
    <div className="jp-PipelinesRuns-search">
      <searchIcon.react tag="span" />
      <input
        type="text"
        value={text}
        placeholder={hint}
        aria-label={trans.__('Search runs by name')}
        spellCheck={false}
        onChange={event => setText(event.target.value)}
        onKeyDown={event => {
          if (event.key === 'Escape' && text) {
            event.stopPropagation();
            onChange('');
          }
        }}
      />
      {text && (
        <button
          type="button"
          title={trans.__('Clear the search')}
          aria-label={trans.__('Clear the search')}
          onClick={() => onChange('')}
        >
          <closeIcon.react tag={null} width="14px" height="14px" />
        </button>
      )}
    </div>
  );
}

function Chips(props: {
  states: readonly State[];
  trans: TranslationBundle;
  onChange: (states: State[]) => void;
}): JSX.Element {
  const { states, trans, onChange } = props;
  const words: Record<Group, string> = {
    active: trans.__('Active'),
    succeeded: trans.__('Succeeded'),
    failed: trans.__('Failed'),
    canceled: trans.__('Canceled')
  };
  return (
    <div
      className="jp-PipelinesRuns-chipGroup"
      role="group"
      aria-label={trans.__('Show only these states')}
    >
      {(Object.keys(GROUPS) as Group[]).map(group => {
        const members: readonly State[] = GROUPS[group];
        const on = members.every(state => states.includes(state));
        return (
          <button
            key={group}
            type="button"
            className="jp-PipelinesRuns-chip"
            aria-pressed={on}
            onClick={() => {
              const others = states.filter(state => !members.includes(state));
              onChange(on ? others : [...others, ...members]);
            }}
          >
            <StateIcon state={MARKS[group]} />
            {words[group]}
          </button>
        );
      })}
    </div>
  );
}

function SortSelect(props: {
  query: Readonly<RunQuery>;
  trans: TranslationBundle;
  onChange: (change: Partial<RunQuery>) => void;
}): JSX.Element {
  const { query, trans, onChange } = props;
  const value = `${query.sort_by ?? 'created_at'}:${query.descending ?? true}`;
  return (
    <select
      className="jp-PipelinesRuns-sort"
      aria-label={trans.__('Sort runs')}
      title={trans.__('Sort runs')}
      value={value}
      onChange={event => {
        const [field, descending] = event.target.value.split(':');
        onChange({
          sort_by: field as Sort,
          descending: descending === 'true'
        });
      }}
    >
      <option value="created_at:true">{trans.__('Newest first')}</option>
      <option value="created_at:false">{trans.__('Oldest first')}</option>
      <option value="finished_at:true">{trans.__('Last finished')}</option>
      <option value="duration:true">{trans.__('Longest first')}</option>
      <option value="display_name:false">{trans.__('By name')}</option>
      <option value="state:false">{trans.__('By state')}</option>
    </select>
  );
}
