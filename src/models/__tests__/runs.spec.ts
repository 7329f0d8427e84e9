import type { EventSocket } from '../../api/events';
import { FakeSocket } from '../../api/__tests__/fakeSocket';
import type { Run, RunQuery } from '../../api/types';
import { RunsModel } from '../runs';
import { client, run, settle, socket } from './fakes';

const at = (minute: number) =>
  `2026-05-01T10:${String(minute).padStart(2, '0')}:00Z`;

describe('RunsModel', () => {
  let events: EventSocket;
  let model: RunsModel;
  let stored: Run[];
  let next: string;
  let note: string;
  let ask: jest.Mock;
  let seq: number;

  beforeEach(async () => {
    seq = 0;
    next = '';
    note = '';
    stored = [3, 2, 1].map(i => run(`r${i}`, { created_at: at(i) }));
    ask = jest.fn(async (_: string, query: RunQuery) => ({
      runs: query.page_token ? [run('old', { created_at: at(0) })] : stored,
      next_page_token: query.page_token ? '' : next,
      total_size: null,
      note
    }));
    events = socket();
    model = new RunsModel(client({ runs: ask }), events, 'local');
    model.watch();
    FakeSocket.last.accept();
    await settle();
  });

  afterEach(() => {
    model.dispose();
    events.dispose();
  });

  function push(event: object): void {
    FakeSocket.last.say({
      seq: ++seq,
      topic: 'runs',
      connection: 'local',
      ...event
    });
  }

  const ids = () => model.runs?.map(one => one.run_id);

  it('says what the list does not hold yet, until it does', async () => {
    note = 'Sorted among the newest 400 runs.';
    await model.refresh();
    expect(model.note).toBe('Sorted among the newest 400 runs.');
    const changed = jest.fn();
    model.changed.connect(changed);
    note = '';
    await model.refresh();
    expect(model.note).toBe('');
    expect(changed).toHaveBeenCalled();
  });

  it('puts a new run at its place and replaces a changed one', () => {
    push({ runs: [run('r4', { created_at: at(4) })] });
    expect(ids()).toEqual(['r4', 'r3', 'r2', 'r1']);
    push({ runs: [run('r2', { created_at: at(2), state: 'FAILED' })] });
    expect(ids()).toEqual(['r4', 'r3', 'r2', 'r1']);
    expect(model.runs?.[2].state).toBe('FAILED');
  });

  it('signals only what differs', () => {
    const changed = jest.fn();
    model.changed.connect(changed);
    push({ runs: [stored[1]] });
    expect(changed).not.toHaveBeenCalled();
    push({ deleted: ['r2'] });
    expect(changed).toHaveBeenCalledTimes(1);
    expect(ids()).toEqual(['r3', 'r1']);
  });

  it('drops a run that no longer matches the filter', async () => {
    await model.setQuery({ states: ['RUNNING'] });
    push({ runs: [run('r3', { created_at: at(3), state: 'SUCCEEDED' })] });
    expect(ids()).toEqual(['r2', 'r1']);
  });

  it('leaves to the next page what lies beyond the last loaded run', async () => {
    next = 'page-2';
    await model.refresh();
    push({ runs: [run('ancient', { created_at: at(0) })] });
    expect(ids()).toEqual(['r3', 'r2', 'r1']);
    await model.loadMore();
    expect(ids()).toEqual(['r3', 'r2', 'r1', 'old']);
    expect(model.hasMore).toBe(false);
  });

  it('keeps the list and tells the error when a request fails', async () => {
    ask.mockRejectedValueOnce(new Error('no'));
    await model.refresh();
    expect(model.error?.message).toBe('no');
    expect(ids()).toEqual(['r3', 'r2', 'r1']);
  });

  it('lets no answer to an older query through', async () => {
    let release: () => void = () => undefined;
    ask.mockImplementationOnce(
      () =>
        new Promise(resolve => {
          release = () =>
            resolve({
              runs: [run('wrong')],
              next_page_token: '',
              total_size: 1,
              note: ''
            });
        })
    );
    const older = model.refresh();
    const newer = model.setQuery({ name: 'run r' });
    release();
    await Promise.all([older, newer]);
    expect(ids()).toEqual(['r3', 'r2', 'r1']);
  });

  it('stops listening with its last watcher', () => {
    const events = FakeSocket.last.sent.length;
    const second = model.watch();
    second.dispose();
    second.dispose();
    expect(FakeSocket.last.sent).toHaveLength(events);
  });
});
