import type { ILogQuery } from '../../api/client';
import type { EventSocket } from '../../api/events';
import { FakeSocket } from '../../api/__tests__/fakeSocket';
import type { LogChunk } from '../../api/types';
import { LogModel } from '../log';
import { LogLines } from '../logLines';
import { client, settle, socket } from './fakes';

describe('LogLines', () => {
  function lines(...parts: string[]): readonly string[] {
    const log = new LogLines();
    parts.forEach(part => log.append(part));
    return log.lines;
  }

  it('joins lines that arrive in pieces', () => {
    expect(lines('one\ntw', 'o\nthree')).toEqual(['one', 'two', 'three']);
  });

  it('shows of a progress bar what a terminal would', () => {
    expect(lines('  0%\r 50%\r100%\ndone\r\n')).toEqual(['100%', 'done', '']);
    expect(lines('10%\r', '20%')).toEqual(['20%']);
  });

  it('keeps colours and drops other controls', () => {
    expect(
      lines('\u001b[31mred\u001b[0m\u001b[2K\u001b]0;title\u0007!')
    ).toEqual(['\u001b[31mred\u001b[0m!']);
  });

  it('cuts a line that is too long, and says so', () => {
    const [line] = lines('x'.repeat(100_000));
    expect(line.length).toBeLessThan(5_000);
    expect(line).toContain('line cut');
  });

  it('lets the beginning go when memory is full', () => {
    const log = new LogLines();
    const block = `${'y'.repeat(999)}\n`.repeat(1000);
    for (let i = 0; i < 30; i++) {
      log.append(block);
    }
    expect(log.dropped).toBeGreaterThan(10_000);
    expect(log.lines.length * 1000).toBeLessThan(17_000_000);
  });
});

describe('LogModel', () => {
  let file: string;
  let over: boolean;
  let attempt: number;
  let events: EventSocket;
  let model: LogModel;
  let asked: ILogQuery[];
  let seq: number;

  /** Serves `file` as the server does. */
  async function log(
    connection: string,
    runId: string,
    taskId: string,
    query: ILogQuery
  ): Promise<LogChunk> {
    asked.push(query);
    const text = file.slice(query.offset, query.offset + query.limit);
    const next = query.offset + text.length;
    return {
      text,
      offset: query.offset,
      next_offset: next,
      size: file.length,
      complete: over && next >= file.length,
      attempt
    };
  }

  beforeEach(() => {
    [file, over, attempt, asked, seq] = ['', false, 1, [], 0];
    events = socket();
  });

  afterEach(() => {
    model.dispose();
    events.dispose();
  });

  async function open(): Promise<void> {
    model = new LogModel(client({ log }), events, 'local', 'r', 't', null);
    FakeSocket.last.accept();
    await settle();
    await model.refresh();
  }

  async function grown(size: number): Promise<void> {
    FakeSocket.last.say({
      seq: ++seq,
      topic: 'log',
      connection: 'local',
      run_id: 'r',
      task_id: 't',
      log_size: size,
      attempt
    });
    await settle();
    await model.refresh();
  }

  it('reads what there is, then only what is appended', async () => {
    file = 'one\n';
    await open();
    file += 'two\n';
    asked.length = 0;
    await grown(file.length);
    expect(model.lines).toEqual(['one', 'two', '']);
    expect(asked.every(query => query.offset >= 4)).toBe(true);
  });

  it('begins near the end of a long log, at the start of a line', async () => {
    file = Array.from({ length: 400_000 }, (_, i) => `line ${i}\n`).join('');
    await open();
    expect(model.start).toBeGreaterThan(0);
    expect(model.lines[0]).toMatch(/^line \d+$/);
    expect(model.lines[model.lines.length - 2]).toBe('line 399999');
    await model.loadAll();
    expect(model.start).toBe(0);
    expect(model.lines[0]).toBe('line 0');
  });

  it('starts over with the next attempt', async () => {
    file = 'first try\n';
    await open();
    [file, attempt] = ['second\n', 2];
    await grown(7);
    expect(model.lines).toEqual(['second', '']);
  });

  it('knows when the log is complete', async () => {
    [file, over] = ['end\n', true];
    await open();
    expect(model.isComplete).toBe(true);
  });

  it('starts over when the file became shorter', async () => {
    file = 'a long beginning\n';
    await open();
    file = 'short\n';
    await grown(6);
    expect(model.lines).toEqual(['short', '']);
  });
});
