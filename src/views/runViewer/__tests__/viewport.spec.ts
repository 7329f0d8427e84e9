import { colourSpans, plainText } from '../ansi';
import { formatBytes } from '../../bytes';
import { keyAction } from '../keys';
import { cut } from '../nodeText';
import {
  fit,
  opening,
  READABLE_SCALE,
  shown,
  withInView,
  zoomAt
} from '../viewport';

const FRAME = { width: 800, height: 600 };

describe('viewport', () => {
  it('fits a drawing, centred, without enlarging it', () => {
    const view = fit({ width: 400, height: 300 }, FRAME);
    expect(view).toEqual({ k: 1, x: 200, y: 150 });
    expect(fit({ width: 8000, height: 300 }, FRAME).k).toBeLessThan(0.1);
  });

  it('opens a large drawing readable, with its first node in view', () => {
    const first = { x: 5000, y: 0, width: 100, height: 40 };
    const size = { width: 10_000, height: 9000 };
    const view = opening(size, FRAME, null, first);
    expect(view.k).toBe(READABLE_SCALE);
    const seen = shown(view, FRAME);
    expect(first.x).toBeGreaterThan(seen.x);
    expect(first.x + first.width).toBeLessThan(seen.x + seen.width);
    expect(first.y).toBeGreaterThanOrEqual(seen.y);
  });

  it('opens on what failed', () => {
    const failed = { x: 3000, y: 4000, width: 100, height: 40 };
    const view = opening({ width: 10_000, height: 9000 }, FRAME, failed, null);
    expect(3050 * view.k + view.x).toBeCloseTo(400);
    expect(4020 * view.k + view.y).toBeCloseTo(300);
  });

  it('opens a drawing that is too wide without empty room beside it', () => {
    const size = { width: 2000, height: 200 };
    for (const x of [0, 900, 1900]) {
      const first = { x, y: 0, width: 100, height: 40 };
      for (const view of [
        opening(size, FRAME, null, first),
        opening(size, FRAME, first, null)
      ]) {
        const seen = shown(view, FRAME);
        expect(seen.x).toBeGreaterThanOrEqual(-32 / view.k);
        expect(seen.x + seen.width).toBeLessThanOrEqual(2000 + 32 / view.k);
      }
    }
  });

  it('zooms about a point', () => {
    const before = { x: 10, y: 20, k: 1 };
    const after = zoomAt(before, 2, 100, 100);
    expect((100 - after.x) / after.k).toBeCloseTo(90);
    expect((100 - after.y) / after.k).toBeCloseTo(80);
    expect(zoomAt(before, 1e9, 0, 0).k).toBeLessThan(10);
  });

  it('moves no further than needed to show a box', () => {
    const view = { x: 0, y: 0, k: 1 };
    const inside = { x: 100, y: 100, width: 50, height: 50 };
    expect(withInView(view, inside, FRAME)).toEqual(view);
    const right = withInView(view, { ...inside, x: 900 }, FRAME);
    expect(right.y).toBe(0);
    expect(950 + right.x).toBe(800 - 32);
  });
});

describe('keyAction', () => {
  const press = (key: string, ctrlKey = false) =>
    keyAction({ key, ctrlKey, metaKey: false, altKey: false });

  it('knows its keys and leaves combinations to the lab', () => {
    expect(press('ArrowDown')).toEqual({ kind: 'step', to: 'down' });
    expect(press('f')).toEqual({ kind: 'fit' });
    expect(press('f', true)).toBeNull();
    expect(press('x')).toBeNull();
  });
});

describe('text', () => {
  it('cuts a long name in its middle', () => {
    expect(cut('short', 100, 7)).toBe('short');
    const name = cut('preprocess-training-data-2', 70, 7);
    expect(name).toHaveLength(10);
    expect(name).toMatch(/^prepro…/);
    expect(name).toMatch(/a-2$/);
  });

  it('writes bytes short', () => {
    expect([12, 3456, 99_000_000].map(formatBytes)).toEqual([
      '12 B',
      '3.5 KB',
      '99 MB'
    ]);
  });

  it('splits a line where its colour changes', () => {
    const line = 'a\u001b[1;31mb\u001b[0mc';
    expect(plainText(line)).toBe('abc');
    expect(colourSpans(line)).toEqual([
      { text: 'a', className: '' },
      { text: 'b', className: 'ansi-red-fg ansi-bold' },
      { text: 'c', className: '' }
    ]);
  });
});
