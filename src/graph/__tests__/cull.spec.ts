import { build, Scopes } from '../build';
import { affordable, textAt, TileIndex, tilesOf } from '../cull';
import { layout } from '../layout';
import { Walk } from '../walk';
import { anyTopology, digits, loop } from './topologies';

function laidOut(shape: ReturnType<typeof digits>, toggled: string[] = []) {
  const drawing = build(new Scopes(shape), {
    toggled: new Set(toggled),
    showArtifacts: true
  });
  return { drawing, made: layout(drawing) };
}

describe('TileIndex', () => {
  it('finds everything that touches a viewport', () => {
    for (let seed = 1; seed < 30; seed++) {
      const { made } = laidOut(anyTopology(seed));
      const view = {
        x: made.width / 4,
        y: made.height / 4,
        width: made.width / 3,
        height: made.height / 3
      };
      const seen = new Set(new TileIndex(made).visible(tilesOf(view)).nodes);
      for (const [id, box] of Object.entries(made.boxes)) {
        const touches =
          box.x <= view.x + view.width &&
          box.x + box.width >= view.x &&
          box.y <= view.y + view.height &&
          box.y + box.height >= view.y;
        expect(!touches || seen.has(id)).toBe(true);
      }
    }
  });

  it('leaves out what is far away', () => {
    const { made } = laidOut(loop(600), ['loop']);
    const seen = new TileIndex(made).visible(
      tilesOf({ x: 0, y: 0, width: 100, height: 100 })
    );
    expect(seen.nodes.length).toBeLessThan(Object.keys(made.boxes).length / 2);
  });

  it('lists a group before what it holds', () => {
    const { made } = laidOut(loop(2), ['loop', 'loop[0]']);
    const { nodes } = new TileIndex(made).visible({
      left: 0,
      top: 0,
      right: 9,
      bottom: 9
    });
    expect(nodes.indexOf('loop')).toBeLessThan(nodes.indexOf('loop[0]'));
    expect(nodes.indexOf('loop[0]')).toBeLessThan(nodes.indexOf('loop[0]/a'));
  });

  it('hits the innermost node at a point, and nothing beside', () => {
    const { made } = laidOut(loop(2), ['loop', 'loop[0]']);
    const index = new TileIndex(made);
    const box = made.boxes['loop[0]/a'];
    expect(index.at(box.x + 5, box.y + 5)).toBe('loop[0]/a');
    expect(index.at(-50, -50)).toBeNull();
  });
});

describe('detail', () => {
  it('drops text as it becomes unreadable, and shapes as they become too many', () => {
    expect([1, 0.52, 0.3].map(textAt)).toEqual(['full', 'labels', 'shapes']);
    expect(affordable('full', 100)).toBe('full');
    expect(affordable('full', 5000)).toBe('overview');
  });
});

describe('Walk', () => {
  const { drawing, made } = laidOut(digits());
  const walk = new Walk(drawing, made);

  it('follows the edges down and up', () => {
    expect(walk.first()).toBe('load');
    expect(['load:test', 'load:train']).toContain(walk.step('load', 'down'));
    expect(walk.step('train', 'down')).toBe('train:model');
    expect(walk.step('train:model', 'up')).toBe('train');
  });

  it('goes sideways to a neighbour and stops at the border', () => {
    const there = walk.step('load:test', 'right');
    const back = walk.step('load:train', 'right');
    expect([there, back]).toContain(
      made.boxes['load:test'].x < made.boxes['load:train'].x
        ? 'load:train'
        : 'load:test'
    );
    expect(walk.step('load', 'up')).toBeNull();
  });

  it('enters an open group', () => {
    const nested = laidOut(loop(2), ['loop', 'loop[0]']);
    const steps = new Walk(nested.drawing, nested.made);
    expect(steps.step('loop[0]', 'down')).toBe('loop[0]/a');
  });
});
