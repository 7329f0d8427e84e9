/**
 * Horizontal places within ordered rows: every node as near to its neighbours as the row allows.
 *
 * Each node wishes to stand at the median of its neighbours. For one row this is least squares
 * under "keep the order, keep the distance", which pooling adjacent violators solves exactly in
 * linear time; alternating up and down settles the rows.
 */
import type { ILayers } from './layers';

export interface ICoordinateOptions {
  /** Width of every node and, from the number of nodes up, of every bend. */
  widths: number[];
  /** Distance between two neighbours of a row. */
  gap: number;
}

/** Odd: the last round goes down, so that the first rows lead and chains hang straight. */
const ROUNDS = 9;

/** A bend that follows a bend weighs more: long edges run straight. */
const STRAIGHT = 4;

/** The centre of every node and bend; the leftmost border lies at 0. */
export function placeAcross(
  layers: ILayers,
  options: ICoordinateOptions
): Float64Array {
  const { widths, gap } = options;
  const centres = new Float64Array(layers.rowOf.length);
  for (const row of layers.rows) {
    let x = 0;
    for (const node of row) {
      centres[node] = x + widths[node] / 2;
      x += widths[node] + gap;
    }
    const middle = (x - gap) / 2;
    row.forEach(node => (centres[node] -= middle));
  }
  const { above, below } = links(layers);
  for (let round = 0; round < ROUNDS; round++) {
    const down = round % 2 === 0;
    for (let i = 0; i < layers.rows.length; i++) {
      const row = layers.rows[down ? i : layers.rows.length - 1 - i];
      alignRow(row, down ? above : below, centres, widths, gap);
    }
  }
  let left = Infinity;
  centres.forEach((x, node) => (left = Math.min(left, x - widths[node] / 2)));
  return centres.map(x => x - left);
}

interface ILink {
  other: number;
  weight: number;
}

function links(layers: ILayers): { above: ILink[][]; below: ILink[][] } {
  const above: ILink[][] = layers.rowOf.map(() => []);
  const below: ILink[][] = layers.rowOf.map(() => []);
  for (const path of layers.paths) {
    for (let i = 1; i < path.length; i++) {
      const inner = i > 1 && i < path.length - 1;
      const weight = inner ? STRAIGHT : 1;
      below[path[i - 1]].push({ other: path[i], weight });
      above[path[i]].push({ other: path[i - 1], weight });
    }
  }
  return { above, below };
}

interface IPool {
  /** Sum of weight × wished place, relative to the row's packed places. */
  sum: number;
  weight: number;
  members: number;
}

function alignRow(
  row: number[],
  neighbours: ILink[][],
  centres: Float64Array,
  widths: number[],
  gap: number
): void {
  const packed: number[] = [];
  const pools: IPool[] = [];
  let x = 0;
  for (const node of row) {
    packed.push(x + widths[node] / 2);
    x += widths[node] + gap;
    const { wish, weight } = wished(node, neighbours[node], centres);
    let pool: IPool = {
      sum: weight * (wish - packed[packed.length - 1]),
      weight,
      members: 1
    };
    let last = pools[pools.length - 1];
    while (last && last.sum / last.weight >= pool.sum / pool.weight) {
      pools.pop();
      pool = {
        sum: last.sum + pool.sum,
        weight: last.weight + pool.weight,
        members: last.members + pool.members
      };
      last = pools[pools.length - 1];
    }
    pools.push(pool);
  }
  let i = 0;
  for (const pool of pools) {
    const shift = pool.sum / pool.weight;
    for (let end = i + pool.members; i < end; i++) {
      centres[row[i]] = packed[i] + shift;
    }
  }
}

function wished(
  node: number,
  neighbours: ILink[],
  centres: Float64Array
): { wish: number; weight: number } {
  if (!neighbours.length) {
    // Nothing pulls it: it stays, but gives way.
    return { wish: centres[node], weight: 0.01 };
  }
  // Anywhere between the middle neighbours the edges are equally short: the nearest place wins,
  // and a chain runs straight where a mean would zigzag.
  const places = neighbours
    .map(link => centres[link.other])
    .sort((a, b) => a - b);
  const low = places[(places.length - 1) >> 1];
  const high = places[places.length >> 1];
  const weight = neighbours.reduce((sum, link) => sum + link.weight, 0);
  return { wish: Math.min(high, Math.max(low, centres[node])), weight };
}
