import { build, Scopes } from '../build';
import { layout } from '../layout';
import { Layouts } from '../layouts';
import type { ILayoutRequest } from '../layoutWorker';
import type { IDrawing } from '../model';
import { digits, task, topology } from './topologies';

function wide(count: number, key = 'wide'): IDrawing {
  const tasks = Array.from({ length: count }, (_, i) => task(`t${i}`));
  return build(new Scopes(topology(tasks, [], [], key)), {
    toggled: new Set(),
    showArtifacts: true
  });
}

/** A worker that answers in the next task, or never, or with an error. */
class FakeWorker {
  constructor(private readonly mode: 'answer' | 'fail' | 'break') {}
  onmessage: ((message: { data: unknown }) => void) | null = null;
  onerror: (() => void) | null = null;
  asked = 0;
  terminated = false;

  postMessage({ id, drawing }: ILayoutRequest): void {
    this.asked += 1;
    setTimeout(() => {
      if (this.mode === 'break') {
        this.onerror?.();
      } else {
        const ok = this.mode === 'answer';
        const made = ok ? layout(drawing) : null;
        this.onmessage?.({ data: { id, layout: made, error: 'too odd' } });
      }
    });
  }

  terminate(): void {
    this.terminated = true;
  }
}

function layoutsWith(worker: FakeWorker): Layouts {
  return new Layouts(() => worker as unknown as Worker);
}

describe('Layouts', () => {
  it('makes a small layout at once', () => {
    const small = build(new Scopes(digits()), {
      toggled: new Set(),
      showArtifacts: true
    });
    expect(new Layouts(null).peek(small)).toEqual(layout(small));
  });

  it('asks the worker once for a big one and keeps the answer', async () => {
    const worker = new FakeWorker('answer');
    const layouts = layoutsWith(worker);
    const drawing = wide(400);
    expect(layouts.peek(drawing)).toBeNull();
    const made = await layouts.get(drawing);
    expect(await layouts.get(wide(400))).toBe(made);
    expect(layouts.peek(drawing)).toBe(made);
    expect(worker.asked).toBe(1);
  });

  it('lays out here where workers are forbidden', async () => {
    const layouts = new Layouts(() => {
      throw new Error('worker-src');
    });
    expect((await layouts.get(wide(400))).key).toContain('wide');
  });

  it('lays out here what a broken worker still owed', async () => {
    const worker = new FakeWorker('break');
    const layouts = layoutsWith(worker);
    const both = [layouts.get(wide(300, 'a')), layouts.get(wide(301, 'b'))];
    expect(await Promise.all(both)).toHaveLength(2);
    expect(worker.terminated).toBe(true);
  });

  it('tells an error of the layout itself', async () => {
    const layouts = layoutsWith(new FakeWorker('fail'));
    await expect(layouts.get(wide(400))).rejects.toThrow('too odd');
  });
});
