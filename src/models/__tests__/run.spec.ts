import type { EventSocket } from '../../api/events';
import { RequestError } from '../../api/request';
import { FakeSocket } from '../../api/__tests__/fakeSocket';
import type { GraphDelta, RunGraph } from '../../api/types';
import { RunModel, type IRunChange } from '../run';
import { client, delta, graph, run, settle, socket, status } from './fakes';

describe('RunModel', () => {
  let fetched: RunGraph;
  let ask: jest.Mock;
  let events: EventSocket;
  let model: RunModel;
  let changes: IRunChange[];
  let seq: number;

  beforeEach(async () => {
    fetched = graph();
    ask = jest.fn(async () => fetched);
    events = socket();
    seq = 0;
    model = new RunModel(client({ graph: ask }), events, 'local', 'r1');
    FakeSocket.last.accept();
    await settle();
    changes = [];
    model.changed.connect((_, change) => changes.push(change));
  });

  afterEach(() => {
    model.dispose();
    events.dispose();
  });

  async function push(
    change: Partial<GraphDelta> | null,
    event: object = {}
  ): Promise<void> {
    FakeSocket.last.say({
      seq: ++seq,
      topic: 'run',
      connection: 'local',
      run_id: 'r1',
      delta: change && delta(change),
      ...event
    });
    await settle();
  }

  it('has read the graph', () => {
    expect(model.tasks['train'].state).toBe('RUNNING');
    expect(model.node('train')?.display_name).toBe('train');
    expect(model.node('nobody')).toBeNull();
  });

  it('applies a delta and tells which tasks moved', async () => {
    await push({ tasks: { train: status('SUCCEEDED') } });
    expect(model.tasks['train'].state).toBe('SUCCEEDED');
    expect(model.tasks['load'].state).toBe('SUCCEEDED');
    expect(changes).toHaveLength(1);
    expect(changes[0]).toMatchObject({ tasks: ['train'], topology: false });
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('keeps the topology’s object while only states move', async () => {
    const { topology } = model;
    await push({ tasks: { train: status('FAILED') } });
    await model.refresh();
    expect(model.topology).toBe(topology);
  });

  it('emits nothing where nothing differs', async () => {
    await push({ tasks: { train: status('RUNNING') } });
    expect(changes).toEqual([]);
    const { train } = model.tasks;
    fetched = graph({ revision: 7 });
    await model.refresh();
    expect(changes.filter(one => one.tasks.length || one.run)).toEqual([]);
    expect(model.tasks['train']).toBe(train);
  });

  it('ignores a delta it already knows', async () => {
    await push({ revision: 5, tasks: { train: status('PENDING') } });
    expect(model.tasks['train'].state).toBe('RUNNING');
  });

  it('fetches again after a gap in the revisions', async () => {
    fetched = graph({ revision: 9, tasks: { train: status('FAILED') } });
    await push({ base_revision: 8, revision: 9 });
    expect(ask).toHaveBeenCalledTimes(2);
    expect(model.tasks['train'].state).toBe('FAILED');
  });

  it('fetches again when the shape has changed', async () => {
    const grown = graph({ revision: 6 });
    fetched = { ...grown, topology: { ...grown.topology, key: 'grown' } };
    await push({ topology_key: 'grown' });
    expect(ask).toHaveBeenCalledTimes(2);
    expect(model.topology?.key).toBe('grown');
    expect(changes.some(change => change.topology)).toBe(true);
  });

  it('does not let a slow answer undo a newer delta', async () => {
    let release: (old: RunGraph) => void = () => undefined;
    ask.mockImplementationOnce(
      () => new Promise<RunGraph>(resolve => (release = resolve))
    );
    const reading = model.refresh();
    await push({ tasks: { train: status('SUCCEEDED') } });
    release(graph({ revision: 5 }));
    await reading;
    expect(model.tasks['train'].state).toBe('SUCCEEDED');
  });

  it('reads again when a change was told before the first, older graph came', async () => {
    let answer: (graph: RunGraph) => void = () => undefined;
    const slow = jest
      .fn()
      .mockReturnValueOnce(new Promise<RunGraph>(done => (answer = done)))
      .mockResolvedValue({ ...graph(), revision: 9 });
    const late = new RunModel(client({ graph: slow }), events, 'local', 'r2');
    FakeSocket.last.say({
      seq: ++seq,
      topic: 'run',
      connection: 'local',
      run_id: 'r2',
      delta: { ...delta({ revision: 9 }), tasks: {} }
    });
    await settle();
    answer(graph());
    await settle();
    expect(slow).toHaveBeenCalledTimes(2);
    late.dispose();
  });

  it('says why it may be out of date, until it is not', async () => {
    await push(null, { stale: 'The cluster does not answer.' });
    expect(model.stale).toBe('The cluster does not answer.');
    await push({ run: run('r1', { state: 'SUCCEEDED' }) });
    expect(model.stale).toBeNull();
    expect(model.run?.state).toBe('SUCCEEDED');
  });

  it('keeps what it knows when a fetch fails', async () => {
    ask.mockRejectedValueOnce(new RequestError('Busy.', 503, 'X', 'Wait.'));
    await model.refresh();
    expect(model.error?.message).toBe('Busy.');
    expect(model.tasks['train'].state).toBe('RUNNING');
    await model.refresh();
    expect(model.error).toBeNull();
  });

  it('knows that its run is gone', async () => {
    ask.mockRejectedValueOnce(new RequestError('Gone.', 404, 'NotFound', ''));
    await model.refresh();
    expect(model.deleted).toBe(true);
  });

  it('reads once more, not twice, for calls during a fetch', async () => {
    await Promise.all([model.refresh(), model.refresh(), model.refresh()]);
    expect(ask).toHaveBeenCalledTimes(3);
  });
});
