/** The list of runs: only the rows in sight exist, more are read as the end comes near. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useLayoutEffect, useRef, useState } from 'react';
import type { Run } from '../../api/types';
import { isFinal } from '../../models/states';
import { useNow } from '../useSignal';
import type { RunsPanelModel } from './model';
import { ROW_HEIGHT, RunRow, type RowAction } from './runRow';
import { visibleRange } from './windowing';

/** Pixels before the end at which the next page is asked for. */
const AHEAD = 8 * ROW_HEIGHT;

/** Milliseconds between two looks at the clock: while something runs, and else. */
const TICK = 1_000;
const SLOW_TICK = 30_000;

export interface IRunListProps {
  model: RunsPanelModel;
  runs: readonly Run[];
  trans: TranslationBundle;
  onOpen: (run: Run) => void;
  onAction: (action: RowAction, runs: Run[]) => void;
}

export function RunList(props: IRunListProps): JSX.Element {
  const { model, runs, trans, onOpen, onAction } = props;
  const viewport = useRef<HTMLDivElement>(null);
  const { top, height, onScroll } = useViewport(viewport);
  const range = visibleRange(top, height, ROW_HEIGHT, runs.length);
  const { ids, active } = model.selection;
  const keyboardRow = active ?? runs[0]?.run_id;
  // The row with the keyboard stays, out of sight too, or the focus would be lost.
  const shown = runs
    .map((run, index) => ({ run, index }))
    .filter(
      ({ run, index }) =>
        (index >= range.start && index < range.end) ||
        run.run_id === keyboardRow
    );
  const moving = shown.some(({ run }) => !isFinal(run.state));
  const now = useNow(moving ? TICK : SLOW_TICK);

  useLoadMore(model, runs.length * ROW_HEIGHT - top - height < AHEAD);
  useActiveInSight(viewport, runs, active);

  const runOf = (target: EventTarget): Run | undefined => {
    const row = (target as Element).closest<HTMLElement>('.jp-PipelinesRun');
    return row ? runs.find(run => run.run_id === row.dataset.runId) : undefined;
  };

  const onKeyDown = (event: React.KeyboardEvent) => {
    const onRow = (event.target as Element).matches('.jp-PipelinesRun');
    const run = runOf(event.target);
    if (!onRow || !run || event.altKey) {
      return;
    }
    const accel = event.ctrlKey || event.metaKey;
    const page = Math.max(1, Math.floor(height / ROW_HEIGHT) - 1);
    if (event.key === 'Enter') {
      onOpen(run);
    } else if (event.key === ' ') {
      model.select(run.run_id, accel ? 'toggle' : 'one');
    } else if (event.key === 'Delete') {
      onAction('delete', chosen(model, run));
    } else if (event.key === 'Escape') {
      model.clearSelection();
    } else if (event.key === 'a' && accel) {
      model.selectAll();
    } else if (!model.navigate(event.key, event.shiftKey, page)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const onMouseDown = (event: React.MouseEvent) => {
    const run = runOf(event.target);
    if (!run || (event.target as Element).closest('button')) {
      return;
    }
    if (event.button === 2) {
      // A context menu acts on the selection; elsewhere it moves there first.
      if (!ids.has(run.run_id)) {
        model.select(run.run_id, 'one');
      }
    } else if (event.button === 0) {
      const accel = event.ctrlKey || event.metaKey;
      model.select(
        run.run_id,
        event.shiftKey ? 'range' : accel ? 'toggle' : 'one'
      );
    }
  };

  return (
    <div
      ref={viewport}
      className="jp-PipelinesRuns-list"
      role="grid"
      aria-label={trans.__('Pipeline runs')}
      aria-multiselectable={true}
      aria-rowcount={model.runs.totalSize ?? runs.length}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
      onMouseDown={onMouseDown}
      onDoubleClick={event => {
        const run = runOf(event.target);
        if (run) {
          onOpen(run);
        }
      }}
    >
      <div
        className="jp-PipelinesRuns-rows"
        role="presentation"
        style={{ height: runs.length * ROW_HEIGHT }}
      >
        {shown.map(({ run, index }) => (
          <RunRow
            key={run.run_id}
            run={run}
            index={index}
            selected={ids.has(run.run_id)}
            active={run.run_id === keyboardRow}
            now={now}
            trans={trans}
            onAction={(action, one) => onAction(action, [one])}
          />
        ))}
      </div>
      <More model={model} trans={trans} />
    </div>
  );
}

/** The selected runs where `run` is one of them, else `run` alone. */
function chosen(model: RunsPanelModel, run: Run): Run[] {
  return model.selection.ids.has(run.run_id) ? model.selectedRuns : [run];
}

/** The list's end: what is being read, or a button where reading it failed. */
function More(props: {
  model: RunsPanelModel;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { model, trans } = props;
  if (!model.runs.hasMore) {
    return null;
  }
  return (
    <div className="jp-PipelinesRuns-more">
      {model.runs.isLoading ? (
        <span>{trans.__('Loading more runs…')}</span>
      ) : (
        <button
          type="button"
          className="jp-Pipelines-link"
          onClick={() => void model.runs.loadMore()}
        >
          {trans.__('Load more')}
        </button>
      )}
    </div>
  );
}

/** Where the list is scrolled to and how much of it is seen, in pixels. */
function useViewport(ref: React.RefObject<HTMLDivElement>): {
  top: number;
  height: number;
  onScroll: () => void;
} {
  const [view, setView] = useState({ top: 0, height: 0 });
  const measure = () => {
    const node = ref.current;
    if (node) {
      const { scrollTop: top, clientHeight: height } = node;
      setView(old =>
        old.top === top && old.height === height ? old : { top, height }
      );
    }
  };
  useLayoutEffect(() => {
    measure();
    const observer = new ResizeObserver(measure);
    if (ref.current) {
      observer.observe(ref.current);
    }
    return () => observer.disconnect();
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  return { ...view, onScroll: measure };
}

/** Reads the next page when the end is near, once for each end and never after an error. */
function useLoadMore(model: RunsPanelModel, nearEnd: boolean): void {
  const { runs } = model;
  const wanted = nearEnd && runs.hasMore && !runs.isLoading && !runs.error;
  useLayoutEffect(() => {
    if (wanted) {
      void runs.loadMore();
    }
  }, [wanted, runs, runs.runs?.length]);
}

/** Keeps the row that has the keyboard in sight, and the focus on it. */
function useActiveInSight(
  ref: React.RefObject<HTMLDivElement>,
  runs: readonly Run[],
  active: string | null
): void {
  useLayoutEffect(() => {
    const node = ref.current;
    const index = runs.findIndex(run => run.run_id === active);
    if (!node || index < 0) {
      return;
    }
    const top = index * ROW_HEIGHT;
    if (top < node.scrollTop) {
      node.scrollTop = top;
    } else if (top + ROW_HEIGHT > node.scrollTop + node.clientHeight) {
      node.scrollTop = top + ROW_HEIGHT - node.clientHeight;
    }
    if (node.contains(document.activeElement)) {
      const row = `.jp-PipelinesRun[data-run-id="${CSS.escape(active ?? '')}"]`;
      node.querySelector<HTMLElement>(row)?.focus({ preventScroll: true });
    }
    // Only a move of the keyboard scrolls; a pushed run must not.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [active]);
}
