/** All tasks of a run as a list: filtered by state and name, the reading way into a big graph. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { State, TaskNode } from '../../api/types';
import { durationMs, isFinal, STATES } from '../../models/states';
import { visibleRange } from '../runsPanel/windowing';
import { StateIcon, stateLabel } from '../stateMark';
import { formatDuration } from '../time';
import { useNow } from '../useSignal';
import type { ViewerModel } from './model';
import { firstFailed } from './failed';

/** Height of a row, as in the style sheet. */
const ROW_PX = 30;

/** Sorts after every time: what has not started comes last, in the pipeline's order. */
const NOT_STARTED = '~';

export interface ITaskListProps {
  model: ViewerModel;
  trans: TranslationBundle;
}

export function TaskList({ model, trans }: ITaskListProps): JSX.Element {
  const [only, setOnly] = React.useState<State | null>(null);
  const [name, setName] = React.useState('');
  const { tasks, topology } = model.run;
  const leaves = (topology?.tasks ?? [])
    .filter(task => !model.scopes?.isGroup(task))
    .map(task => ({ task, start: tasks[task.id]?.started_at ?? NOT_STARTED }))
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0))
    .map(({ task }) => task);
  const stateOf = (task: TaskNode): State => tasks[task.id]?.state ?? 'PENDING';
  const counts = new Map<State, number>();
  for (const task of leaves) {
    counts.set(stateOf(task), (counts.get(stateOf(task)) ?? 0) + 1);
  }
  const wanted = name.trim().toLowerCase();
  const shown = leaves.filter(
    task =>
      (only === null || stateOf(task) === only) &&
      (!wanted || task.id.toLowerCase().includes(wanted))
  );
  // A run that failed as a whole already offers the way, beside its error.
  const offered = Boolean(model.run.run?.error);
  const failed = counts.get('FAILED') && !offered ? firstFailed(model) : null;
  return (
    <div className="jp-PipelinesTasks">
      <div
        className="jp-PipelinesTasks-filters"
        role="group"
        aria-label={trans.__('Show tasks by state')}
      >
        <Chip
          text={trans.__('All')}
          count={leaves.length}
          pressed={only === null}
          onClick={() => setOnly(null)}
        />
        {STATES.filter(state => counts.has(state)).map(state => (
          <Chip
            key={state}
            state={state}
            text={stateLabel(state, trans)}
            count={counts.get(state)!}
            pressed={only === state}
            onClick={() => setOnly(only === state ? null : state)}
          />
        ))}
      </div>
      {(leaves.length > 12 || failed !== null) && (
        <div className="jp-PipelinesTasks-find">
          {leaves.length > 12 && (
            <input
              type="search"
              placeholder={trans.__('Find a task')}
              aria-label={trans.__('Find a task')}
              value={name}
              onChange={event => setName(event.target.value)}
            />
          )}
          {failed !== null && (
            <button
              type="button"
              className="jp-Pipelines-link"
              onClick={() => model.reveal(failed, 'overview')}
            >
              {trans.__('Jump to failed')}
            </button>
          )}
        </div>
      )}
      <Rows model={model} tasks={shown} stateOf={stateOf} trans={trans} />
    </div>
  );
}

interface IRowsProps extends ITaskListProps {
  tasks: readonly TaskNode[];
  stateOf: (task: TaskNode) => State;
}

/** Only the rows in sight are in the page. */
function Rows({ model, tasks, stateOf, trans }: IRowsProps): JSX.Element {
  const box = React.useRef<HTMLDivElement>(null);
  const [scroll, setScroll] = React.useState({ top: 0, height: 600 });
  React.useEffect(() => {
    const element = box.current!;
    const measure = () =>
      setScroll({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, []);
  const { start, end } = visibleRange(
    scroll.top,
    scroll.height,
    ROW_PX,
    tasks.length
  );
  return (
    <div ref={box} className="jp-PipelinesTasks-rows">
      {tasks.length === 0 && (
        <p className="jp-mod-quiet">{trans.__('No task matches.')}</p>
      )}
      <ul style={{ height: tasks.length * ROW_PX }}>
        {tasks.slice(start, end).map((task, i) => (
          <li
            key={task.id}
            style={{ transform: `translateY(${(start + i) * ROW_PX}px)` }}
          >
            <button
              type="button"
              className="jp-PipelinesTasks-row"
              title={`${task.id} · ${stateLabel(stateOf(task), trans)}`}
              onClick={() => model.reveal(task.id)}
            >
              <StateIcon state={stateOf(task)} />
              <span className="jp-PipelinesTasks-name">
                {task.display_name || task.name}
                {task.parent !== null && (
                  <span className="jp-mod-quiet"> {task.parent}</span>
                )}
              </span>
              <span className="jp-PipelinesTasks-time">
                <Elapsed model={model} id={task.id} />
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Elapsed(props: { model: ViewerModel; id: string }): JSX.Element {
  const status = props.model.run.tasks[props.id];
  const moves = status?.started_at && !isFinal(status.state);
  const now = useNow(moves ? 1000 : 3_600_000);
  const cached = status?.state === 'CACHED';
  return (
    <>{status && !cached ? formatDuration(durationMs(status, now)) : ''}</>
  );
}

function Chip(props: {
  text: string;
  count: number;
  pressed: boolean;
  state?: State;
  onClick: () => void;
}): JSX.Element {
  return (
    <button
      type="button"
      className="jp-PipelinesTasks-chip"
      aria-pressed={props.pressed}
      onClick={props.onClick}
    >
      {props.state && <StateIcon state={props.state} />}
      {props.text}
      <span className="jp-mod-quiet">{props.count}</span>
    </button>
  );
}
