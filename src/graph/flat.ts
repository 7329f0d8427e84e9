/** Lays out one container's own nodes: components apart, each in layers, packed into a block. */
import { placeAcross } from './coordinates';
import { layer } from './layers';
import type { ISize } from './size';

export interface IFlatLayout {
  /** Top left corner of every node: x, y alternating. */
  corners: Float64Array;
  /** For each edge: the bends it passes, x and y alternating; both ends left out. */
  bends: number[][];
  width: number;
  height: number;
}

export const NODE_GAP = 22;
export const ROW_GAP = 40;
const COMPONENT_GAP = 30;
const BEND_WIDTH = 10;

/** The shape that packed components aim at, width to height. */
const ASPECT = 1.7;

/** Few small components stand side by side, whatever shape that gives. */
const MIN_SHELF = 640;

export function flatLayout(
  sizes: ISize[],
  edges: [number, number][]
): IFlatLayout {
  const parts = components(sizes.length, edges);
  const placed = parts.map(part =>
    placeComponent(
      part.nodes.map(node => sizes[node]),
      part.edges.map(i => [
        part.index.get(edges[i][0])!,
        part.index.get(edges[i][1])!
      ])
    )
  );
  const { offsets, width, height } = pack(placed);
  const corners = new Float64Array(sizes.length * 2);
  const bends: number[][] = edges.map(() => []);
  parts.forEach((part, p) => {
    const [dx, dy] = offsets[p];
    part.nodes.forEach((node, i) => {
      corners[2 * node] = placed[p].corners[2 * i] + dx;
      corners[2 * node + 1] = placed[p].corners[2 * i + 1] + dy;
    });
    part.edges.forEach((edge, i) => {
      bends[edge] = placed[p].bends[i].map((v, k) => v + (k % 2 ? dy : dx));
    });
  });
  return { corners, bends, width, height };
}

interface IComponent {
  nodes: number[];
  edges: number[];
  /** Number of a node within the component. */
  index: Map<number, number>;
}

/** Connected parts, in the order of their first nodes. */
function components(count: number, edges: [number, number][]): IComponent[] {
  const root = Int32Array.from({ length: count }, (_, i) => i);
  const find = (node: number): number => {
    while (root[node] !== node) {
      root[node] = root[root[node]];
      node = root[node];
    }
    return node;
  };
  edges.forEach(([a, b]) => (root[find(a)] = find(b)));
  const byRoot = new Map<number, IComponent>();
  for (let node = 0; node < count; node++) {
    const key = find(node);
    let part = byRoot.get(key);
    if (!part) {
      part = { nodes: [], edges: [], index: new Map() };
      byRoot.set(key, part);
    }
    part.index.set(node, part.nodes.length);
    part.nodes.push(node);
  }
  edges.forEach(([a], i) => byRoot.get(find(a))!.edges.push(i));
  return [...byRoot.values()];
}

function placeComponent(
  sizes: ISize[],
  edges: [number, number][]
): IFlatLayout {
  const layers = layer({ widths: sizes.map(size => size.width), edges });
  const widths = layers.rowOf.map((_, i) => sizes[i]?.width ?? BEND_WIDTH);
  const centres = placeAcross(layers, { widths, gap: NODE_GAP });
  const tops: number[] = [];
  const heights = layers.rows.map(row =>
    Math.max(...row.map(node => sizes[node]?.height ?? 0))
  );
  let y = 0;
  for (const height of heights) {
    tops.push(y);
    y += height + ROW_GAP;
  }
  const corners = new Float64Array(sizes.length * 2);
  let width = 0;
  sizes.forEach((size, node) => {
    corners[2 * node] = centres[node] - size.width / 2;
    corners[2 * node + 1] = tops[layers.rowOf[node]];
    width = Math.max(width, centres[node] + size.width / 2);
  });
  const bends = layers.paths.map(path =>
    path.slice(1, -1).flatMap(point => {
      const row = layers.rowOf[point];
      // In at the row's top, out at its bottom: between, the edge runs straight.
      return [
        centres[point],
        tops[row],
        centres[point],
        tops[row] + heights[row]
      ];
    })
  );
  return { corners, bends, width, height: y - ROW_GAP };
}

/** Shelves, in order, as wide as the whole would be at the aimed shape. */
function pack(parts: ISize[]): ISize & { offsets: [number, number][] } {
  const area = parts.reduce(
    (sum, part) =>
      sum + (part.width + COMPONENT_GAP) * (part.height + COMPONENT_GAP),
    0
  );
  const widest = parts.reduce((max, part) => Math.max(max, part.width), 0);
  const limit = Math.max(widest, MIN_SHELF, Math.sqrt(area * ASPECT));
  const offsets: [number, number][] = [];
  let x = 0;
  let y = 0;
  let shelf = 0;
  let width = 0;
  for (const part of parts) {
    if (x > 0 && x + part.width > limit) {
      x = 0;
      y += shelf + COMPONENT_GAP;
      shelf = 0;
    }
    offsets.push([x, y]);
    width = Math.max(width, x + part.width);
    x += part.width + COMPONENT_GAP;
    shelf = Math.max(shelf, part.height);
  }
  return { offsets, width, height: y + shelf };
}
