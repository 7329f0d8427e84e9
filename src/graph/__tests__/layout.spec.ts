import { build, Scopes } from '../build';
import { layout } from '../layout';
import type { IBox, IDrawing, ILayout } from '../model';
import { anyTopology, digits, edge, loop, task, topology } from './topologies';

function drawn(
  shape: Parameters<typeof anyTopology>[0] | ReturnType<typeof digits>,
  everything = true
): { drawing: IDrawing; made: ILayout } {
  const whole = typeof shape === 'number' ? anyTopology(shape) : shape;
  const scopes = new Scopes(whole);
  const toggled = new Set(
    everything
      ? whole.tasks.filter(one => /LOOP/.test(one.type)).map(one => one.id)
      : []
  );
  const drawing = build(scopes, { toggled, showArtifacts: true });
  return { drawing, made: layout(drawing) };
}

function overlap(a: IBox, b: IBox): boolean {
  return (
    a.x < b.x + b.width &&
    b.x < a.x + a.width &&
    a.y < b.y + b.height &&
    b.y < a.y + a.height
  );
}

function inside(inner: IBox, outer: IBox): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}

const SEEDS = Array.from({ length: 80 }, (_, i) => i + 1);

describe('layout', () => {
  it('places every node, on finite ground and within the drawing', () => {
    for (const seed of SEEDS) {
      const { drawing, made } = drawn(seed);
      expect(Object.keys(made.boxes)).toHaveLength(drawing.nodes.length);
      const whole = {
        x: -0.01,
        y: -0.01,
        width: made.width + 0.02,
        height: made.height + 0.02
      };
      for (const box of Object.values(made.boxes)) {
        expect(inside(box, whole)).toBe(true);
      }
    }
  });

  it('lets no two siblings overlap', () => {
    for (const seed of SEEDS) {
      const { drawing, made } = drawn(seed);
      const nodes = drawing.nodes;
      for (let i = 0; i < nodes.length; i++) {
        for (let j = i + 1; j < nodes.length; j++) {
          if (nodes[i].parent === nodes[j].parent) {
            const clash = overlap(
              made.boxes[nodes[i].id],
              made.boxes[nodes[j].id]
            );
            expect([seed, nodes[i].id, nodes[j].id, clash]).toEqual([
              seed,
              nodes[i].id,
              nodes[j].id,
              false
            ]);
          }
        }
      }
    }
  });

  it('keeps what a group holds inside it', () => {
    for (const seed of SEEDS) {
      const { drawing, made } = drawn(seed);
      for (const node of drawing.nodes) {
        if (node.parent !== null) {
          expect(inside(made.boxes[node.id], made.boxes[node.parent])).toBe(
            true
          );
        }
      }
    }
  });

  it('leads every edge of an acyclic container downwards', () => {
    const { made } = drawn(digits());
    for (const { source, target } of made.edges) {
      const from = made.boxes[source];
      expect(made.boxes[target].y).toBeGreaterThanOrEqual(from.y + from.height);
    }
  });

  it('starts an edge at its source and ends it at its target', () => {
    const { made } = drawn(digits());
    const one = made.edges.find(
      edge => edge.source === 'load' && edge.target === 'load:train'
    )!;
    const [from, to] = [made.boxes['load'], made.boxes['load:train']];
    expect(one.points.slice(0, 2)).toEqual([
      from.x + from.width / 2,
      from.y + from.height
    ]);
    expect(one.points.slice(-2)).toEqual([to.x + to.width / 2, to.y]);
  });

  it('hangs a chain straight', () => {
    const names = ['a', 'b', 'c', 'd'];
    const { made } = drawn(
      topology(
        names.map(id => task(id)),
        [],
        names.slice(1).map((id, i) => edge(names[i], id))
      )
    );
    const middles = names.map(
      id => made.boxes[id].x + made.boxes[id].width / 2
    );
    middles.forEach(x => expect(x).toBeCloseTo(middles[0]));
  });

  it('stacks a step’s artifacts that nobody reads', () => {
    const { made } = drawn(digits());
    const stack = ['metrics', 'report', 'roc'].map(
      name => made.boxes[`evaluate:${name}`]
    );
    expect(new Set(stack.map(box => box.x)).size).toBe(1);
    expect(stack[1].y).toBeGreaterThan(stack[0].y + stack[0].height);
  });

  it('packs many iterations into a block, not a line', () => {
    const { made } = drawn(loop(400), true);
    expect(made.width / made.height).toBeLessThan(6);
    expect(made.height / made.width).toBeLessThan(6);
  });

  it('is the same every time', () => {
    for (const seed of SEEDS.slice(0, 10)) {
      expect(drawn(seed).made).toEqual(drawn(seed).made);
    }
  });

  it('tolerates a cycle', () => {
    const shape = topology(
      [task('a'), task('b'), task('c')],
      [],
      [edge('a', 'b'), edge('b', 'c'), edge('c', 'a')]
    );
    expect(Object.keys(drawn(shape).made.boxes)).toHaveLength(3);
  });

  it('lays an empty drawing out as nothing', () => {
    const { made } = drawn(topology([]));
    expect([made.width, made.height, made.edges]).toEqual([0, 0, []]);
  });

  it('lays out ten thousand tasks in seconds at most', () => {
    const tasks = Array.from({ length: 10_000 }, (_, i) => task(`t${i}`));
    const edges = tasks
      .slice(1)
      .map((one, i) => edge(`t${i - (i % 7)}`, one.id));
    const start = Date.now();
    drawn(topology(tasks, [], edges));
    // A bound against quadratic growth; the real figure is in benchmarks/.
    expect(Date.now() - start).toBeLessThan(10_000);
  });
});
