import { PromiseDelegate } from '@lumino/coreutils';
import { RequestError } from '../../../api/request';
import type { ConnectionState } from '../../../api/types';
import {
  FakeServer,
  LOCAL,
  makeRemote,
  makeRun,
  settle
} from '../../__tests__/fakes';
import { RunsPanelModel } from '../model';

async function shown(count: number): Promise<[FakeServer, RunsPanelModel]> {
  const server = new FakeServer();
  server.runs = Array.from({ length: count }, (_, i) =>
    makeRun(`r${i}`, {
      created_at: new Date(Date.UTC(2026, 0, 1) - i * 1000).toISOString()
    })
  );
  const model = new RunsPanelModel(server.service);
  model.setVisible(true);
  await settle();
  return [server, model];
}

describe('RunsPanelModel', () => {
  it('asks for nothing before it is seen', async () => {
    const server = new FakeServer();
    const model = new RunsPanelModel(server.service);
    model.setPageSize(20);
    await settle();
    expect(server.asked).toEqual([]);
    model.dispose();
  });

  it('keeps the selection when a run is pushed', async () => {
    const [server, model] = await shown(3);
    model.select('r1', 'one');
    server.push({
      runs: [makeRun('new', { created_at: '2026-02-01T00:00:00Z' })]
    });
    expect(model.runs.runs?.map(run => run.run_id)).toEqual([
      'new',
      'r0',
      'r1',
      'r2'
    ]);
    expect(model.selectedRuns.map(run => run.run_id)).toEqual(['r1']);
    model.dispose();
  });

  it('forgets a selected run that was deleted', async () => {
    const [server, model] = await shown(3);
    model.select('r1', 'one');
    server.push({ deleted: ['r1'] });
    expect(model.selectedRuns).toEqual([]);
    expect(model.selection.active).toBeNull();
    model.dispose();
  });

  it('extends the selection by the keyboard', async () => {
    const [, model] = await shown(5);
    model.navigate('Home', false, 3);
    model.navigate('ArrowDown', true, 3);
    model.navigate('ArrowDown', true, 3);
    expect(model.selectedRuns).toHaveLength(3);
    expect(model.navigate('Tab', false, 3)).toBe(false);
    model.dispose();
  });

  it('opens on the connection that the server prefers', async () => {
    const server = new FakeServer();
    server.connections = [LOCAL, makeRemote({ preferred: true })];
    const model = new RunsPanelModel(server.service);
    model.setVisible(true);
    await settle();
    expect(model.connection).toBe('team');
    expect(model.isChosen).toBe(false);
    model.choose('local');
    await server.service.connections.refresh();
    expect(model.connection).toBe('local');
    expect(model.isChosen).toBe(true);
    model.dispose();
  });

  it('proposes the preferred connection before it was ever seen', async () => {
    const server = new FakeServer();
    server.connections = [LOCAL, makeRemote({ preferred: true })];
    const model = new RunsPanelModel(server.service);
    expect(await model.settled()).toBe('team');
    expect(server.asked).toEqual([]);
    model.dispose();
  });

  it('opens on the one that was chosen before, and reads no other', async () => {
    const server = new FakeServer();
    server.connections = [LOCAL, makeRemote({ preferred: true })];
    const restored = new PromiseDelegate<void>();
    const model = new RunsPanelModel(server.service, restored.promise);
    model.setVisible(true);
    await settle();
    expect(server.asked).toEqual([]);
    model.choose('local');
    restored.resolve();
    await settle();
    expect(model.connection).toBe('local');
    expect(server.asked).toEqual(['runs(0)']);
    model.dispose();
  });

  it('shows this machine’s runs while the connections are slow to come', async () => {
    jest.useFakeTimers();
    const server = new FakeServer();
    server.client.connections = () => new Promise(() => undefined);
    const model = new RunsPanelModel(server.service);
    model.setVisible(true);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(server.asked).toEqual(['runs(0)']);
    model.dispose();
    jest.useRealTimers();
  });

  it.each<ConnectionState>(['ready', 'forbidden'])(
    'leads from a list that was refused to its connection’s state, and back (%s before)',
    async before => {
      const [server, model] = await shown(1);
      const { connections } = server.service;
      server.connections = [LOCAL, makeRemote({ state: before })];
      await connections.refresh();
      const { runs } = server.client;
      server.client.runs = async () => {
        const message = 'You may not list runs in namespace team-c.';
        throw new RequestError(message, 403, 'Forbidden', '', []);
      };
      server.connections = [LOCAL, makeRemote({ state: 'forbidden' })];
      model.choose('team');
      await settle();
      expect(connections.find('team')?.state).toBe('forbidden');
      expect(model.runs.runs).toBeNull();

      server.client.runs = runs;
      server.connections = [LOCAL, makeRemote()];
      await connections.refresh();
      await settle();
      expect(model.runs.error).toBeNull();
      expect(model.runs.runs).toHaveLength(1);
      model.dispose();
    }
  );

  it('returns to the local connection when its own is removed', async () => {
    const [server, model] = await shown(1);
    server.connections = [LOCAL, makeRemote()];
    await server.service.connections.refresh();
    model.choose('team');
    await settle();
    expect(model.connection).toBe('team');
    server.connections = [LOCAL];
    await server.service.connections.refresh();
    expect(model.connection).toBe('local');
    model.dispose();
  });
});
