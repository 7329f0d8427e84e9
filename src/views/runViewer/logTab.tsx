/** A task's log: live, searchable, drawn only where it is in sight. */
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  caretDownIcon,
  caretUpIcon,
  downloadIcon
} from '@jupyterlab/ui-components';
import React from 'react';
import type { TaskStatus } from '../../api/types';
import { LogModel } from '../../models/log';
import { Message } from '../message';
import { stateLabel } from '../stateMark';
import { useSignals } from '../useSignal';
import { visibleRange } from '../runsPanel/windowing';
import { LogLine, plainText } from './ansi';
import { formatBytes } from '../bytes';
import { Waiting } from './fields';
import { IconButton } from './graphTools';
import type { ViewerModel } from './model';
import { useDisposable } from './useDisposable';

/** Height of a line, as in the style sheet. */
const LINE_PX = 17;

export interface ILogTabProps {
  model: ViewerModel;
  taskId: string;
  status: TaskStatus | null;
  trans: TranslationBundle;
}

export function LogTab(props: ILogTabProps): JSX.Element {
  const { model, taskId, status, trans } = props;
  const [attempt, setAttempt] = React.useState<number | null>(null);
  React.useEffect(() => setAttempt(null), [taskId]);
  const log = useDisposable(() => {
    const { client, events } = model.pipelines;
    const { connection, runId } = model;
    return new LogModel(client, events, connection, runId, taskId, attempt);
  }, [model, taskId, attempt]);
  const attempts = status?.attempts ?? [];
  const picker = attempts.length > 1 && (
    <select
      aria-label={trans.__('Attempt')}
      value={attempt ?? ''}
      onChange={event =>
        setAttempt(event.target.value ? Number(event.target.value) : null)
      }
    >
      <option value="">{trans.__('Latest attempt')}</option>
      {attempts.map(one => (
        <option key={one.number} value={one.number}>
          {trans.__('Attempt %1', one.number)} · {stateLabel(one.state, trans)}
        </option>
      ))}
    </select>
  );
  if (status?.state === 'CACHED' && !attempts.length) {
    return (
      <p className="jp-mod-quiet">
        {trans.__('This step was not run: its result came from the cache.')}
      </p>
    );
  }
  return log ? (
    <LogView log={log} picker={picker} trans={trans} />
  ) : (
    <Waiting text={trans.__('Reading the log…')} trans={trans} />
  );
}

interface ILogViewProps {
  log: LogModel;
  picker: React.ReactNode;
  trans: TranslationBundle;
}

function LogView({ log, picker, trans }: ILogViewProps): JSX.Element {
  useSignals(log.changed);
  const box = React.useRef<HTMLDivElement>(null);
  const [follow, setFollow] = React.useState(true);
  const [scroll, setScroll] = React.useState({ top: 0, height: 400 });
  const [query, setQuery] = React.useState('');
  /** Index into the matches; -1 before the first was visited. */
  const [hit, setHit] = React.useState(-1);
  const { lines } = log;
  const count =
    lines.length && lines[lines.length - 1] === ''
      ? lines.length - 1
      : lines.length;
  const needle = React.useDeferredValue(query.trim().toLowerCase());
  const hits = useHits(lines, needle, count);

  React.useLayoutEffect(() => {
    const element = box.current;
    if (follow && element) {
      element.scrollTop = element.scrollHeight;
    }
  }, [count, follow, log.size]);
  React.useEffect(() => {
    const element = box.current;
    if (!element) {
      return;
    }
    const observer = new ResizeObserver(() =>
      setScroll({ top: element.scrollTop, height: element.clientHeight })
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const onScroll = () => {
    const { scrollTop, clientHeight, scrollHeight } = box.current!;
    setScroll({ top: scrollTop, height: clientHeight });
    const atEnd = scrollTop + clientHeight >= scrollHeight - 2 * LINE_PX;
    setFollow(atEnd);
  };
  const goTo = (index: number) => {
    if (hits.length) {
      const next = (index + hits.length) % hits.length;
      setHit(next);
      setFollow(false);
      box.current!.scrollTop = hits[next] * LINE_PX - scroll.height / 2;
    }
  };
  const onFindKey = (event: React.KeyboardEvent) => {
    if (event.key === 'Enter') {
      goTo(event.shiftKey ? hit - 1 : hit + 1);
    }
  };
  const range = visibleRange(scroll.top, scroll.height, LINE_PX, count);
  const current = needle && hit >= 0 ? hits[hit] : undefined;
  return (
    <div className="jp-PipelinesLog">
      <div className="jp-PipelinesLog-bar">
        {picker}
        <input
          type="search"
          placeholder={trans.__('Find in log')}
          aria-label={trans.__('Find in log')}
          value={query}
          onChange={event => {
            setQuery(event.target.value);
            setHit(-1);
          }}
          onKeyDown={onFindKey}
        />
        {needle && (
          <>
            <span className="jp-PipelinesLog-count" role="status">
              {hits.length
                ? `${hit < 0 ? '' : `${hit + 1}/`}${hits.length}`
                : trans.__('None')}
            </span>
            <IconButton
              icon={caretUpIcon}
              title={trans.__('Previous match')}
              onClick={() => goTo(Math.max(hit, 0) - 1)}
            />
            <IconButton
              icon={caretDownIcon}
              title={trans.__('Next match')}
              onClick={() => goTo(hit + 1)}
            />
          </>
        )}
        <label className="jp-PipelinesGraph-check">
          <input
            type="checkbox"
            checked={follow}
            onChange={event => setFollow(event.target.checked)}
          />
          {trans.__('Follow')}
        </label>
        <a
          className="jp-PipelinesViewer-button jp-mod-icon"
          href={log.url}
          download
          title={trans.__('Download the whole log')}
          aria-label={trans.__('Download the whole log')}
        >
          <downloadIcon.react tag={null} width="16px" height="16px" />
        </a>
      </div>
      <LogNotes log={log} trans={trans} />
      <div
        ref={box}
        className="jp-PipelinesLog-lines"
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={trans.__('Log')}
        onScroll={onScroll}
      >
        <pre style={{ height: count * LINE_PX }}>
          <div style={{ transform: `translateY(${range.start * LINE_PX}px)` }}>
            {lines.slice(range.start, range.end).map((line, i) => (
              <div
                key={range.start + i}
                className={
                  range.start + i === current
                    ? 'jp-PipelinesLog-line jp-mod-current'
                    : 'jp-PipelinesLog-line'
                }
              >
                <LogLine line={line} query={needle} />
              </div>
            ))}
          </div>
        </pre>
      </div>
    </div>
  );
}

/** Indices of the lines that contain the text. */
function useHits(
  lines: readonly string[],
  needle: string,
  count: number
): number[] {
  return React.useMemo(() => {
    const found: number[] = [];
    if (needle) {
      lines.forEach((line, i) => {
        if (plainText(line).toLowerCase().includes(needle)) {
          found.push(i);
        }
      });
    }
    return found;
    // `lines` is one growing array: its length tells that it changed.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [needle, count, lines]);
}

/** What the reader should know: errors, what is left out, that there is nothing. */
function LogNotes(props: {
  log: LogModel;
  trans: TranslationBundle;
}): JSX.Element | null {
  const { log, trans } = props;
  if (log.error) {
    return (
      <Message
        kind="error"
        message={log.error.message}
        nextStep={log.error.nextStep}
      />
    );
  }
  if (log.stale) {
    return <Message kind="warning" message={log.stale} />;
  }
  if (log.size === null) {
    return <Waiting text={trans.__('Reading the log…')} trans={trans} />;
  }
  if (log.size === 0) {
    return (
      <p className="jp-mod-quiet" role="status">
        {log.isComplete
          ? trans.__('This step printed nothing.')
          : trans.__('Nothing printed yet.')}
      </p>
    );
  }
  if (log.dropped) {
    return (
      <p className="jp-mod-quiet">
        {trans.__(
          'The beginning does not fit in memory; download the log to see all %1.',
          formatBytes(log.size)
        )}
      </p>
    );
  }
  if (log.start) {
    return (
      <p className="jp-mod-quiet">
        {trans.__('The end of %1 is shown.', formatBytes(log.size))}{' '}
        <button
          type="button"
          className="jp-Pipelines-link"
          onClick={() => void log.loadAll()}
        >
          {trans.__('Read from the beginning')}
        </button>
      </p>
    );
  }
  return null;
}
