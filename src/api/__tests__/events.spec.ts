import { EventSocket, type IEventListener } from '../events';
import { FakeSocket, fakeSettings } from './fakeSocket';

function listener(): jest.Mocked<IEventListener> {
  return { onEvent: jest.fn(), onResync: jest.fn() };
}

const RUN = { topic: 'run', connection: 'local', run_id: 'r1' } as const;

describe('EventSocket', () => {
  let events: EventSocket;

  beforeEach(() => {
    jest.useFakeTimers();
    events = new EventSocket({ settings: fakeSettings(), random: () => 1 });
  });

  afterEach(() => {
    events.dispose();
    jest.useRealTimers();
  });

  it('opens with the first subscription, below the base url', () => {
    expect(FakeSocket.opened).toHaveLength(0);
    events.subscribe(RUN, listener());
    expect(FakeSocket.last.url).toBe(
      'ws://localhost/user/ada/pipelines/events'
    );
    FakeSocket.last.accept();
    expect(FakeSocket.last.sent).toEqual([{ action: 'subscribe', ...RUN }]);
  });

  it('subscribes a topic once for all its listeners', () => {
    const [a, b] = [listener(), listener()];
    const first = events.subscribe(RUN, a);
    FakeSocket.last.accept();
    const second = events.subscribe(RUN, b);
    FakeSocket.last.say({
      seq: 1,
      topic: 'run',
      connection: 'local',
      run_id: 'r1'
    });
    expect(a.onEvent).toHaveBeenCalledTimes(1);
    expect(b.onEvent).toHaveBeenCalledTimes(1);
    first.dispose();
    expect(FakeSocket.last.sent).toHaveLength(1);
    second.dispose();
    expect(FakeSocket.last.sent[1]).toEqual({ action: 'unsubscribe', ...RUN });
  });

  it('passes an event to its own topic only', () => {
    const [mine, other, list] = [listener(), listener(), listener()];
    events.subscribe(RUN, mine);
    events.subscribe({ ...RUN, run_id: 'r2' }, other);
    events.subscribe({ topic: 'runs', connection: 'local' }, list);
    FakeSocket.last.accept();
    FakeSocket.last.say({
      seq: 1,
      topic: 'run',
      connection: 'local',
      run_id: 'r1'
    });
    expect(mine.onEvent).toHaveBeenCalledTimes(1);
    expect(other.onEvent).not.toHaveBeenCalled();
    expect(list.onEvent).not.toHaveBeenCalled();
  });

  it('asks to fetch again after a gap in the numbers', () => {
    const one = listener();
    events.subscribe(RUN, one);
    FakeSocket.last.accept();
    for (const seq of [1, 2, 5]) {
      FakeSocket.last.say({
        seq,
        topic: 'run',
        connection: 'local',
        run_id: 'r1'
      });
    }
    expect(one.onEvent).toHaveBeenCalledTimes(3);
    expect(one.onResync).toHaveBeenCalledTimes(1);
  });

  it('reconnects with growing delays, subscribes again and resyncs', () => {
    const one = listener();
    events.subscribe(RUN, one);
    FakeSocket.last.accept();
    FakeSocket.last.drop();
    expect(events.status.state).toBe('down');
    expect(events.status.reason).toContain('Reconnecting');
    jest.advanceTimersByTime(500);
    expect(FakeSocket.opened).toHaveLength(2);
    FakeSocket.last.drop();
    jest.advanceTimersByTime(500);
    expect(FakeSocket.opened).toHaveLength(2);
    jest.advanceTimersByTime(500);
    expect(FakeSocket.opened).toHaveLength(3);
    one.onResync.mockClear();
    FakeSocket.last.accept();
    expect(FakeSocket.last.sent).toEqual([{ action: 'subscribe', ...RUN }]);
    expect(one.onResync).toHaveBeenCalledTimes(1);
    expect(events.status.state).toBe('open');
  });

  it('lets views fetch while no socket can be opened', () => {
    const one = listener();
    events.subscribe(RUN, one);
    for (let i = 0; i < 4; i++) {
      FakeSocket.last.drop();
      jest.advanceTimersByTime(15_000);
    }
    expect(one.onResync.mock.calls.length).toBeGreaterThanOrEqual(3);
  });

  it('tries at once when the browser is online again', () => {
    events.subscribe(RUN, listener());
    FakeSocket.last.accept();
    FakeSocket.last.drop();
    window.dispatchEvent(new Event('online'));
    expect(FakeSocket.opened).toHaveLength(2);
  });

  it('closes when nobody listens any more', () => {
    const held = events.subscribe(RUN, listener());
    FakeSocket.last.accept();
    held.dispose();
    jest.advanceTimersByTime(5_000);
    expect(FakeSocket.last.closed).toBe(true);
    expect(events.status.state).toBe('idle');
    jest.advanceTimersByTime(60_000);
    expect(FakeSocket.opened).toHaveLength(1);
  });
});
