/** Layouts on demand: cached by the drawing's key, made in a worker, or here where none runs. */
import { layout } from './layout';
import type { ILayoutAnswer, ILayoutRequest } from './layoutWorker';
import type { IDrawing, ILayout } from './model';

/** Fewer nodes than this are laid out sooner than a worker is asked. */
const SMALL = 150;

/** Layouts kept, most recently used last. */
const KEPT = 24;

/** Milliseconds a worker may take to answer at all before it counts as blocked. */
const PATIENCE_MS = 20_000;

interface IWaiting {
  drawing: IDrawing;
  resolve: (made: ILayout) => void;
  reject: (error: Error) => void;
  timer: ReturnType<typeof setTimeout>;
}

export class Layouts {
  /** `spawn` may throw, or be null: then everything is laid out on the main thread. */
  constructor(private spawn: (() => Worker) | null) {}

  /** The layout if it is there or quick to make; else null, and `get` makes it. */
  peek(drawing: IDrawing): ILayout | null {
    const kept = this.kept.get(drawing.key);
    if (kept) {
      this.keep(kept);
      return kept;
    }
    return drawing.nodes.length <= SMALL ? this.make(drawing) : null;
  }

  /** Rejects only where the layout itself fails. */
  async get(drawing: IDrawing): Promise<ILayout> {
    const ready = this.peek(drawing);
    if (ready) {
      return ready;
    }
    const worker = this.ensureWorker();
    if (!worker) {
      return this.make(drawing);
    }
    const made = await new Promise<ILayout>((resolve, reject) => {
      const id = this.nextId++;
      const timer = setTimeout(() => this.giveUp(), PATIENCE_MS);
      this.waiting.set(id, { drawing, resolve, reject, timer });
      const request: ILayoutRequest = { id, drawing };
      worker.postMessage(request);
    });
    this.keep(made);
    return made;
  }

  dispose(): void {
    this.spawn = null;
    this.giveUp();
  }

  private make(drawing: IDrawing): ILayout {
    const made = layout(drawing);
    this.keep(made);
    return made;
  }

  private keep(made: ILayout): void {
    this.kept.delete(made.key);
    this.kept.set(made.key, made);
    for (const key of this.kept.keys()) {
      if (this.kept.size <= KEPT) {
        break;
      }
      this.kept.delete(key);
    }
  }

  private ensureWorker(): Worker | null {
    if (!this.worker && this.spawn) {
      try {
        this.worker = this.spawn();
        this.worker.onmessage = message => this.onAnswer(message.data);
        this.worker.onerror = () => this.giveUp();
      } catch {
        this.spawn = null; // a policy forbids workers here
      }
    }
    return this.worker;
  }

  private onAnswer(answer: ILayoutAnswer): void {
    const asked = this.waiting.get(answer.id);
    if (!asked) {
      return;
    }
    this.waiting.delete(answer.id);
    clearTimeout(asked.timer);
    if (answer.layout) {
      asked.resolve(answer.layout);
    } else {
      asked.reject(new Error(answer.error));
    }
  }

  /** No worker from now on; what it owed is made here. */
  private giveUp(): void {
    this.spawn = null;
    this.worker?.terminate();
    this.worker = null;
    for (const { drawing, resolve, reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      try {
        resolve(this.make(drawing));
      } catch (error) {
        reject(error as Error);
      }
    }
    this.waiting.clear();
  }

  private readonly kept = new Map<string, ILayout>();
  private readonly waiting = new Map<number, IWaiting>();
  private worker: Worker | null = null;
  private nextId = 0;
}
