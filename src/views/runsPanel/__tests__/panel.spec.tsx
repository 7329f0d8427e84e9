import { nullTranslator } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';
import type { Run } from '../../../api/types';
import { CommandIDs } from '../../../commands';
import {
  FakeServer,
  LOCAL,
  makeRemote,
  makeRun,
  settle
} from '../../__tests__/fakes';
import { RunsPanelModel } from '../model';
import Panel from '../panel';

const trans = nullTranslator.load('jupyterlab_pipelines');

class NoResize {
  observe(): void {}
  disconnect(): void {}
}

beforeAll(() => {
  (globalThis as any).ResizeObserver = NoResize;
  (globalThis as any).CSS = { escape: (text: string) => text };
});

/** The panel over a server with these runs, and the commands it executed. */
async function show(
  runs: Run[],
  example: string | null = null,
  prepare: (server: FakeServer) => void = () => undefined
) {
  const server = new FakeServer();
  server.runs = runs;
  prepare(server);
  const model = new RunsPanelModel(server.service);
  const commands = new CommandRegistry();
  const executed: [string, unknown][] = [];
  for (const id of Object.values(CommandIDs)) {
    commands.addCommand(id, {
      describedBy: { args: null },
      execute: args => void executed.push([id, args])
    });
  }
  model.setVisible(true);
  const findExample = async () => example;
  await act(async () => {
    render(<Panel {...{ model, commands, findExample, trans }} />);
    await settle();
  });
  return { server, model, executed };
}

describe('the runs panel', () => {
  it('says a state by word and shape, not by colour alone', async () => {
    await show([makeRun('a', { state: 'FAILED' })]);
    const row = screen.getByRole('row');
    expect(row.textContent).toContain('Failed');
    expect(row.textContent).toContain('1m 04s');
    expect(row.querySelector('svg')).not.toBeNull();
  });

  it('shows how far a running run is', async () => {
    await show([
      makeRun('a', {
        state: 'RUNNING',
        finished_at: null,
        progress: { total: 5, running: 1, done: 3, failed: 0 }
      })
    ]);
    expect(screen.getByText('3/5 steps')).toBeDefined();
    expect(screen.getByRole('progressbar').getAttribute('aria-valuenow')).toBe(
      '60'
    );
  });

  it('says how much of a finished run failed', async () => {
    const progress = { total: 3, running: 0, done: 3, failed: 1 };
    await show([
      makeRun('a', { state: 'FAILED', progress }),
      makeRun('b', { state: 'CANCELED' })
    ]);
    const [failed, canceled] = screen.getAllByRole('row');
    expect(failed.textContent).toContain('1 of 3 steps failed');
    expect(canceled.textContent).not.toContain('steps');
  });

  it('moves with what the server pushes', async () => {
    const { server } = await show([
      makeRun('a', { state: 'RUNNING', finished_at: null })
    ]);
    act(() => server.push({ runs: [makeRun('a')] }));
    expect(screen.getByRole('row').textContent).toContain('Succeeded');
    expect(screen.queryByRole('progressbar')).toBeNull();
  });

  it('opens a run by Enter and by a double click', async () => {
    const { executed } = await show([makeRun('a')]);
    fireEvent.keyDown(screen.getByRole('row'), { key: 'Enter' });
    fireEvent.doubleClick(screen.getByRole('row'));
    const opened = [CommandIDs.openRun, { connection: 'local', run_id: 'a' }];
    expect(executed).toEqual([opened, opened]);
  });

  it('offers what the state allows', async () => {
    const { executed } = await show([
      makeRun('a', { state: 'RUNNING', finished_at: null })
    ]);
    expect(screen.queryByTitle('Delete')).toBeNull();
    fireEvent.click(screen.getByTitle('Stop'));
    expect(executed).toEqual([
      [CommandIDs.stopRun, { connection: 'local', run_ids: ['a'] }]
    ]);
  });

  it('deletes all that is selected', async () => {
    const { model, executed } = await show([makeRun('a'), makeRun('b')]);
    act(() => model.selectAll());
    fireEvent.keyDown(screen.getAllByRole('row')[0], { key: 'Delete' });
    expect(executed).toEqual([
      [CommandIDs.deleteRun, { connection: 'local', run_ids: ['a', 'b'] }]
    ]);
  });

  it('tells the first step where there is no run', async () => {
    const { executed } = await show([], 'examples/digits.ipynb');
    expect(screen.getByText('No runs yet')).toBeDefined();
    expect(screen.queryByRole('search')).toBeNull();
    fireEvent.click(screen.getByText('Open the example'));
    expect(executed).toEqual([
      [CommandIDs.openExample, { path: 'examples/digits.ipynb' }]
    ]);
  });

  it('says why the list is stale, and keeps it', async () => {
    const { server } = await show([makeRun('a')]);
    act(() => server.push({ stale: 'kubeflow did not answer for 40 s.' }));
    expect(screen.getByText('kubeflow did not answer for 40 s.')).toBeDefined();
    expect(screen.getAllByRole('row')).toHaveLength(1);
  });

  it('says in a quiet line that nothing was found, and how to add one', async () => {
    const { executed } = await show([]);
    expect(screen.getByText(/No Kubeflow endpoint found/)).toBeDefined();
    expect(screen.queryByRole('alert')).toBeNull();
    fireEvent.click(screen.getByText('Add one…'));
    expect(executed[0][0]).toBe(CommandIDs.addConnection);
  });

  it.each([
    [true, 'Renew sign-in…'],
    [false, 'Sign in another way…']
  ])('leads from a refused sign-in to the secret', async (removable, words) => {
    const { executed } = await show([], null, server => {
      const message = 'The token has expired.';
      server.connections = [
        LOCAL,
        makeRemote({ state: 'sign_in', message, preferred: true, removable })
      ];
    });
    expect(screen.queryByText(/No Kubeflow endpoint found/)).toBeNull();
    expect(screen.getByText('The token has expired.')).toBeDefined();
    fireEvent.click(screen.getByText(words));
    expect(executed).toEqual([
      [CommandIDs.editConnection, { connection: 'team', secret: true }]
    ]);
  });

  it('names a forbidden namespace, and leads to another one rather than to the secret', async () => {
    const message =
      'You may not list runs in namespace team-c of https://team.example.org. Choose another namespace, or ask its owner for access.';
    await show([], null, server => {
      server.connections = [
        LOCAL,
        makeRemote({ state: 'forbidden', message, preferred: true })
      ];
      server.namespaces = {
        namespaces: ['team-a', 'team-c'],
        current: 'team-c',
        multi_user: true,
        message: ''
      };
    });
    expect(screen.getByText(message)).toBeDefined();
    expect(screen.queryByText('Renew sign-in…')).toBeNull();
    expect(screen.getByRole('img', { name: 'No access' })).toBeDefined();
    fireEvent.click(screen.getByTitle('Choose a namespace'));
    expect(screen.getByRole('option', { name: 'team-a' })).toBeDefined();
  });

  it('offers to change and remove the user’s own connections only, and to test the others too', async () => {
    const { executed } = await show([], null, server => {
      const found = { name: 'kubeflow', found: 'pod', removable: false };
      server.connections = [LOCAL, makeRemote(found as object), makeRemote()];
    });
    fireEvent.click(screen.getByTitle('Choose a connection'));
    expect(screen.getByText('Found in this notebook’s pod')).toBeDefined();
    expect(screen.getAllByTitle('Remove connection…')).toHaveLength(1);
    expect(screen.getAllByTitle('Change connection…')).toHaveLength(1);
    expect(screen.queryByLabelText('Test connection local')).toBeNull();
    fireEvent.click(screen.getByLabelText('Test connection team'));
    fireEvent.click(screen.getByTitle('Choose a connection'));
    fireEvent.click(screen.getByLabelText('Test connection kubeflow'));
    expect(executed).toEqual([
      [CommandIDs.testConnection, { connection: 'team' }],
      [CommandIDs.testConnection, { connection: 'kubeflow' }]
    ]);
  });

  it('keeps its menu open until the user clicks or tabs elsewhere', async () => {
    await show([makeRun('a')]);
    const menu = () => screen.queryByRole('menu');
    const elsewhere = screen.getByRole('row');
    fireEvent.click(screen.getByTitle('Choose a connection'));
    fireEvent.focusIn(elsewhere);
    expect(menu()).not.toBeNull();
    fireEvent.keyDown(menu()!, { key: 'Tab' });
    fireEvent.focusIn(elsewhere);
    expect(menu()).toBeNull();
    fireEvent.click(screen.getByTitle('Choose a connection'));
    fireEvent.mouseDown(elsewhere);
    expect(menu()).toBeNull();
  });

  it('switches to a namespace of the list, and to one that was typed', async () => {
    const { server } = await show([makeRun('a')], null, server => {
      server.connections = [LOCAL, makeRemote({ preferred: true })];
      server.namespaces = {
        namespaces: ['team-a', 'team-b'],
        current: 'team-a',
        multi_user: true,
        message: ''
      };
    });
    const type = async (text: string) => {
      fireEvent.click(screen.getByTitle('Choose a namespace'));
      const input = screen.getByRole('combobox', { name: /namespace/ });
      fireEvent.change(input, { target: { value: text } });
      await act(async () => {
        fireEvent.keyDown(input, { key: 'Enter' });
        await settle();
      });
    };
    await type('b');
    await type('other');
    const switched = server.asked.filter(one => one.startsWith('namespace'));
    expect(switched).toEqual([
      'namespace(team, team-b)',
      'namespace(team, other)'
    ]);
    expect(screen.queryByRole('listbox')).toBeNull();
    expect(screen.getByTitle('Choose a namespace').textContent).toBe('other');
  });

  it('asks for a namespace where none is chosen', async () => {
    await show([], null, server => {
      // Kubeflow refuses to list the runs of no namespace, whoever asks.
      const refused = makeRemote({ preferred: true, state: 'sign_in' });
      server.connections = [LOCAL, refused];
      server.namespaces = { ...server.namespaces, multi_user: true };
    });
    expect(
      screen.getByText('Choose a namespace to see its runs.')
    ).toBeDefined();
  });
});
