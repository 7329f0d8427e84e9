import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';
import type { EventSocket } from '../../../api/events';
import { RequestError } from '../../../api/request';
import { FakeSocket } from '../../../api/__tests__/fakeSocket';
import type { RunGraph, TaskDetail } from '../../../api/types';
import { loop, task } from '../../../graph/__tests__/topologies';
import { Layouts } from '../../../graph/layouts';
import {
  client,
  delta,
  graph,
  run,
  socket,
  status
} from '../../../models/__tests__/fakes';
import { Pipelines } from '../../../models/pipelines';
import { ViewerModel } from '../model';
import { Viewer } from '../viewer';

const trans = nullTranslator.load('jupyterlab_pipelines');

class FakeObserver {
  constructor(private readonly callback: () => void) {}
  observe(element: Element): void {
    Object.defineProperty(element, 'clientWidth', { value: 900 });
    Object.defineProperty(element, 'clientHeight', { value: 700 });
    this.callback();
  }
  disconnect(): void {
    /* nothing to do */
  }
}
globalThis.ResizeObserver = FakeObserver as unknown as typeof ResizeObserver;

function detail(taskId: string): TaskDetail {
  const none = { parameters: {}, artifacts: [] };
  return {
    run_id: 'r1',
    node: task(taskId),
    status: status('PENDING'),
    inputs: { ...none, parameters: { rate: 0.5 } },
    outputs: none,
    image: 'python:3.12',
    command: [],
    source: 'def f(): ...',
    packages: [],
    caching: true,
    cache_key: ''
  };
}

describe('Viewer', () => {
  let events: EventSocket;
  let model: ViewerModel;
  let answer: () => Promise<RunGraph>;
  let pipelines: Pipelines;

  async function show(): Promise<HTMLElement> {
    events = socket();
    pipelines = new Pipelines(
      client({
        graph: () => answer(),
        outputs: async () => [],
        task: async (_c, _r, taskId) => detail(taskId),
        artifactUrl: () => '#',
        logUrl: () => '#'
      }),
      events
    );
    model = new ViewerModel(pipelines, 'local', 'r1', new Layouts(null));
    const { container } = render(<Viewer model={model} trans={trans} />);
    await act(async () => undefined);
    return container;
  }

  afterEach(() => {
    model.dispose();
    events.dispose();
  });

  const node = (container: HTMLElement, id: string) =>
    container.querySelector(`[data-node="${id}"]`)!;

  async function push(change: Parameters<typeof delta>[0]): Promise<void> {
    await act(async () => {
      FakeSocket.last.accept();
      FakeSocket.last.say({
        seq: 1,
        topic: 'run',
        connection: 'local',
        run_id: 'r1',
        delta: delta(change)
      });
    });
  }

  it('draws the graph with every state as colour, icon and word', async () => {
    answer = async () => graph();
    const container = await show();
    const train = node(container, 'train');
    expect(train.getAttribute('data-pipelines-state')).toBe('RUNNING');
    expect(train.textContent).toContain('Running');
    expect(train.querySelector('use')?.getAttribute('href')).toMatch(
      /RUNNING$/
    );
    expect(node(container, 'load:train').textContent).toContain('Dataset');
  });

  it('moves one node when its state moves, and never the view', async () => {
    answer = async () => graph();
    const container = await show();
    const [load, train] = ['load', 'train'].map(id => node(container, id));
    const places = [load, train].map(one => one.getAttribute('transform'));
    const view = load.parentElement!.getAttribute('transform');
    const { picture } = model;
    await push({ tasks: { train: status('SUCCEEDED') } });
    expect(node(container, 'train')).toBe(train);
    expect(train.textContent).toContain('Succeeded');
    expect([load, train].map(one => one.getAttribute('transform'))).toEqual(
      places
    );
    expect(load.parentElement!.getAttribute('transform')).toBe(view);
    expect(model.picture).toBe(picture);
  });

  it('shows a clicked step and goes back to the run', async () => {
    const failed = status('FAILED', { error: 'division by zero' });
    answer = async () => graph({ tasks: { evaluate: failed } });
    await show();
    await act(async () => model.select('evaluate'));
    expect(screen.getByRole('alert').textContent).toContain('division by zero');
    expect(screen.getByRole('tab', { name: 'Overview' })).toBeTruthy();
    fireEvent.click(screen.getByRole('tab', { name: 'Inputs & outputs' }));
    expect(screen.getByText('rate')).toBeTruthy();
    fireEvent.click(screen.getByTitle('Back to the run'));
    expect(screen.getByRole('tab', { name: 'Tasks' })).toBeTruthy();
  });

  it('shows an artifact with its maker and its readers', async () => {
    answer = async () =>
      graph({
        artifacts: {
          'load:train': {
            uri: 'file:///data/train.csv',
            metadata: { rows: 1347 },
            size: 9000,
            created_at: null
          }
        }
      });
    await show();
    await act(async () => model.select('load:train'));
    expect(screen.getByText('file:///data/train.csv')).toBeTruthy();
    expect(screen.getByText('1347')).toBeTruthy();
    fireEvent.click(screen.getByRole('button', { name: 'load' }));
    expect(model.selected).toBe('load');
  });

  it('says what could not be read of the run', async () => {
    const note = 'ML Metadata cannot be read, so artifacts are missing.';
    answer = async () => graph({ notes: [note] });
    await show();
    expect(screen.getByText(note)).toBeTruthy();
  });

  it('filters the tasks by state and jumps to the failed one', async () => {
    answer = async () =>
      graph({
        run: run('r1', { state: 'FAILED', error: 'evaluate: no' }),
        tasks: {
          load: status('SUCCEEDED'),
          train: status('CACHED'),
          evaluate: status('FAILED')
        }
      });
    const container = await show();
    const rows = () =>
      [...container.querySelectorAll('.jp-PipelinesTasks-name')].map(
        row => row.textContent
      );
    expect(rows()).toHaveLength(3);
    fireEvent.click(screen.getByRole('button', { name: /^Cached/ }));
    expect(rows()).toEqual(['train']);
    await act(async () => {
      fireEvent.click(screen.getByText('Show the failed step'));
    });
    expect(model.selected).toBe('evaluate');
  });

  it('walks by the keyboard, selects and clears', async () => {
    answer = async () => graph();
    const container = await show();
    const frame = screen.getByRole('application');
    fireEvent.keyDown(frame, { key: 'ArrowDown' });
    expect(container.querySelector('[aria-live=polite]')?.textContent).toBe(
      'load, Step, Succeeded'
    );
    await act(async () => {
      fireEvent.keyDown(frame, { key: 'Enter' });
    });
    expect(model.selected).toBe('load');
    await act(async () => {
      fireEvent.keyDown(frame, { key: 'Escape' });
    });
    expect(model.selected).toBeNull();
  });

  it('keeps a loop folded until asked, also when a task in it is revealed', async () => {
    answer = async () => graph({ topology: loop(4), tasks: {} });
    const container = await show();
    expect(node(container, 'loop').textContent).toContain('0/8');
    expect(node(container, 'loop[1]')).toBeNull();
    await act(async () => model.reveal('loop[1]/b'));
    expect(node(container, 'loop[1]/b')).not.toBeNull();
    await act(async () => model.setAllExpanded(false));
    expect(node(container, 'loop[1]')).toBeNull();
  });

  it('hides artifacts on demand', async () => {
    answer = async () => graph();
    const container = await show();
    await act(async () => {
      fireEvent.click(screen.getByRole('checkbox', { name: 'Artifacts' }));
    });
    expect(node(container, 'load:train')).toBeNull();
    expect(node(container, 'load')).not.toBeNull();
  });

  it('says what failed and what to do when the run cannot be read', async () => {
    answer = () =>
      Promise.reject(
        new RequestError('No such run.', 404, 'NotFound', 'Refresh.')
      );
    await show();
    expect(screen.getByRole('alert').textContent).toContain('No such run.');
    expect(screen.getByRole('alert').textContent).toContain('Refresh.');
    answer = async () => graph();
    await act(async () => {
      fireEvent.click(screen.getByText('Try again'));
    });
    expect(screen.getByRole('application')).toBeTruthy();
  });

  it('keeps the picture and says why it may be old', async () => {
    answer = async () => graph();
    const container = await show();
    await act(async () => {
      FakeSocket.last.accept();
      FakeSocket.last.drop();
    });
    expect(container.textContent).toContain('Live updates are interrupted');
    expect(node(container, 'train')).not.toBeNull();
  });

  it('opens the run a cached result came from', async () => {
    answer = async () => graph();
    await show();
    pipelines.opener = jest.fn();
    const cached = { run_id: 'r0', task_id: 'train' };
    await push({ tasks: { train: status('CACHED', { cached_from: cached }) } });
    await act(async () => model.select('train'));
    fireEvent.click(screen.getByTitle('Open the run that made this result'));
    expect(pipelines.opener).toHaveBeenCalledWith('local', 'r0', {
      taskId: 'train'
    });
  });
});
