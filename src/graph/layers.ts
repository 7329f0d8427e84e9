/**
 * Layers of one flat graph: which row every node is in, and its place in the row.
 *
 * Nodes are numbers. Longest paths give the rows; an edge that spans several rows gets a bend
 * in each row between, and barycentre sweeps order the rows so that few edges cross.
 */

export interface IFlatGraph {
  /** Width of every node. */
  widths: number[];
  /** Pairs of nodes. A cycle is tolerated: its last edge is ignored. */
  edges: [number, number][];
}

export interface ILayers {
  /** Nodes and bends of each row, in order; a bend is a number from `widths.length` up. */
  rows: number[][];
  /** Row of each node and bend. */
  rowOf: number[];
  /** For each edge of the input: the numbers it passes, both ends included. */
  paths: number[][];
}

/** Rows wider than this are broken, so that a wide fan-out stays on the screen. */
const MAX_ROW_WIDTH = 3600;

/** More bends than this per node would cost more than they show. */
const BENDS_PER_NODE = 4;

const SWEEPS = 6;

export function layer(graph: IFlatGraph): ILayers {
  const count = graph.widths.length;
  const { targets, sources, order } = acyclic(count, graph.edges);
  const ranks = rank(order, targets, sources);
  const rowOf = breakWideRows(order, ranks, graph.widths);
  const { paths, rows } = bend(count, graph.edges, rowOf);
  sortRows(rows, rowOf, paths);
  return { rows, rowOf, paths };
}

interface IAcyclic {
  targets: number[][];
  sources: number[][];
  /** Every node after its sources; the input's order where that leaves a choice. */
  order: number[];
}

function acyclic(count: number, edges: [number, number][]): IAcyclic {
  const out: number[][] = Array.from({ length: count }, () => []);
  edges.forEach(([source, target]) => out[source].push(target));
  const targets: number[][] = Array.from({ length: count }, () => []);
  const sources: number[][] = Array.from({ length: count }, () => []);
  const state = new Uint8Array(count); // 0 new, 1 on the path, 2 done
  const done: number[] = [];
  for (let start = count - 1; start >= 0; start--) {
    if (state[start]) {
      continue;
    }
    const path: [number, number][] = [[start, out[start].length - 1]];
    state[start] = 1;
    while (path.length) {
      const top = path[path.length - 1];
      const [node, next] = top;
      if (next < 0) {
        state[node] = 2;
        done.push(node);
        path.pop();
        continue;
      }
      top[1] -= 1;
      const target = out[node][next];
      if (state[target] === 1) {
        continue; // closes a cycle
      }
      targets[node].push(target);
      sources[target].push(node);
      if (state[target] === 0) {
        state[target] = 1;
        path.push([target, out[target].length - 1]);
      }
    }
  }
  return { targets, sources, order: done.reverse() };
}

/** Longest path from the top; then what has no source moves down to just above its first target. */
function rank(
  order: number[],
  targets: number[][],
  sources: number[][]
): number[] {
  const ranks: number[] = new Array(order.length).fill(0);
  for (const node of order) {
    for (const target of targets[node]) {
      ranks[target] = Math.max(ranks[target], ranks[node] + 1);
    }
  }
  for (const node of order) {
    if (!sources[node].length && targets[node].length) {
      const first = targets[node].reduce(
        (low, target) => Math.min(low, ranks[target]),
        Infinity
      );
      ranks[node] = first - 1;
    }
  }
  return ranks;
}

function breakWideRows(
  order: number[],
  ranks: number[],
  widths: number[]
): number[] {
  const byRank: number[][] = [];
  for (const node of order) {
    (byRank[ranks[node]] ??= []).push(node);
  }
  const rowOf: number[] = new Array(order.length).fill(0);
  let row = -1;
  for (const nodes of byRank) {
    let used = Infinity;
    for (const node of nodes ?? []) {
      if (used + widths[node] > MAX_ROW_WIDTH) {
        row += 1;
        used = 0;
      }
      used += widths[node];
      rowOf[node] = row;
    }
  }
  return rowOf;
}

function bend(
  count: number,
  edges: [number, number][],
  rowOf: number[]
): { paths: number[][]; rows: number[][] } {
  const rows: number[][] = [];
  for (let node = 0; node < count; node++) {
    (rows[rowOf[node]] ??= []).push(node);
  }
  let budget = count * BENDS_PER_NODE;
  const paths = edges.map(([source, target]) => {
    const path = [source];
    const span = rowOf[target] - rowOf[source] - 1;
    if (span > 0 && span <= budget) {
      budget -= span;
      for (let row = rowOf[source] + 1; row < rowOf[target]; row++) {
        const point = rowOf.length;
        rowOf.push(row);
        rows[row].push(point);
        path.push(point);
      }
    }
    path.push(target);
    return path;
  });
  return { paths, rows };
}

function sortRows(rows: number[][], rowOf: number[], paths: number[][]): void {
  const above: number[][] = rowOf.map(() => []);
  const below: number[][] = rowOf.map(() => []);
  for (const path of paths) {
    for (let i = 1; i < path.length; i++) {
      below[path[i - 1]].push(path[i]);
      above[path[i]].push(path[i - 1]);
    }
  }
  const place = new Float64Array(rowOf.length);
  const settle = (row: number[]) => {
    // Places are shares of the row, so that rows of different lengths compare.
    row.forEach((node, i) => (place[node] = (i + 0.5) / row.length));
  };
  rows.forEach(settle);
  let best = rows.map(row => [...row]);
  let fewest = crossings(rows, below, place);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const neighbours = down ? above : below;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[down ? i : rows.length - 1 - i];
      orderRow(row, neighbours, place);
      settle(row);
    }
    const crossed = crossings(rows, below, place);
    if (crossed < fewest) {
      fewest = crossed;
      best = rows.map(row => [...row]);
    }
  }
  best.forEach((row, i) => (rows[i] = row));
}

function orderRow(
  row: number[],
  neighbours: number[][],
  place: Float64Array
): void {
  const wish = new Map(
    row.map(node => {
      const others = neighbours[node];
      const sum = others.reduce((total, other) => total + place[other], 0);
      return [node, others.length ? sum / others.length : place[node]];
    })
  );
  row.sort((a, b) => wish.get(a)! - wish.get(b)! || place[a] - place[b]);
}

/** How many pairs of edges cross, counted by insertion into a tree of places. */
function crossings(
  rows: number[][],
  below: number[][],
  place: Float64Array
): number {
  let total = 0;
  for (let i = 0; i + 1 < rows.length; i++) {
    const length = rows[i + 1].length;
    const tree = new Int32Array(length + 1);
    let seen = 0;
    for (const node of rows[i]) {
      const spots = below[node]
        .map(other => Math.round(place[other] * length - 0.5))
        .sort((a, b) => a - b);
      for (const spot of spots) {
        let before = 0;
        for (let at = spot + 1; at > 0; at -= at & -at) {
          before += tree[at];
        }
        total += seen - before;
      }
      for (const spot of spots) {
        for (let at = spot + 1; at <= length; at += at & -at) {
          tree[at] += 1;
        }
      }
      seen += spots.length;
    }
  }
  return total;
}
