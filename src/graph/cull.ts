/** Which nodes and edges a viewport shows, by tiles, and how much detail its scale can carry. */
import type { IBox, ILayout, IPlacedEdge } from './model';

/** `full`: all text; `labels`: names only; `shapes`: no text; `overview`: one path for all. */
export type Detail = 'full' | 'labels' | 'shapes' | 'overview';

/** Side of a tile in drawing units. */
const TILE = 640;

/** More elements than this at once are drawn as an overview, whatever the scale. */
const MAX_ELEMENTS = 900;

/** Smaller text than this many pixels is noise. */
const MIN_LABEL_PX = 6.5;
const LABEL_PX = 13;
const CAPTION_PX = 11;

export interface ITileRange {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface IVisible {
  /** Ids of the nodes. */
  nodes: string[];
  edges: IPlacedEdge[];
}

export class TileIndex {
  constructor(private readonly layout: ILayout) {
    for (const [id, box] of Object.entries(layout.boxes)) {
      this.order.set(id, this.order.size);
      forTiles(box, key => put(this.nodes, key, id));
    }
    layout.edges.forEach((edge, i) =>
      forTiles(bounds(edge.points), key => put(this.edges, key, i))
    );
  }

  /** Everything that touches the tiles, in drawing order. */
  visible(range: ITileRange): IVisible {
    const nodes = new Set<string>();
    const edges = new Set<number>();
    const whole = tilesOf({
      x: 0,
      y: 0,
      width: this.layout.width,
      height: this.layout.height
    });
    const right = Math.min(range.right, whole.right);
    const bottom = Math.min(range.bottom, whole.bottom);
    for (let x = Math.max(range.left, -1); x <= right; x++) {
      for (let y = Math.max(range.top, -1); y <= bottom; y++) {
        this.nodes.get(`${x},${y}`)?.forEach(id => nodes.add(id));
        this.edges.get(`${x},${y}`)?.forEach(i => edges.add(i));
      }
    }
    return {
      nodes: [...nodes].sort((a, b) => this.order.get(a)! - this.order.get(b)!),
      edges: [...edges].sort((a, b) => a - b).map(i => this.layout.edges[i])
    };
  }

  /** The innermost node at a point, or null. */
  at(x: number, y: number): string | null {
    const { left, top } = tilesOf({ x, y, width: 0, height: 0 });
    let found: string | null = null;
    let smallest = Infinity;
    for (const id of this.nodes.get(`${left},${top}`) ?? []) {
      const box = this.layout.boxes[id];
      const area = box.width * box.height;
      if (area < smallest && holds(box, x, y)) {
        smallest = area;
        found = id;
      }
    }
    return found;
  }

  private readonly order = new Map<string, number>();
  private readonly nodes = new Map<string, string[]>();
  private readonly edges = new Map<string, number[]>();
}

/** The tiles that a rectangle touches. */
export function tilesOf(box: IBox): ITileRange {
  return {
    left: Math.floor(box.x / TILE),
    top: Math.floor(box.y / TILE),
    right: Math.floor((box.x + box.width) / TILE),
    bottom: Math.floor((box.y + box.height) / TILE)
  };
}

/** What text stays readable at a scale. */
export function textAt(scale: number): Exclude<Detail, 'overview'> {
  if (scale * CAPTION_PX >= MIN_LABEL_PX) {
    return 'full';
  }
  return scale * LABEL_PX >= MIN_LABEL_PX ? 'labels' : 'shapes';
}

/** The detail that so many single shapes can afford. */
export function affordable(
  text: Exclude<Detail, 'overview'>,
  elements: number
): Detail {
  return elements > MAX_ELEMENTS ? 'overview' : text;
}

export function bounds(points: readonly number[]): IBox {
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (let i = 0; i < points.length; i += 2) {
    left = Math.min(left, points[i]);
    right = Math.max(right, points[i]);
    top = Math.min(top, points[i + 1]);
    bottom = Math.max(bottom, points[i + 1]);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

function holds(box: IBox, x: number, y: number): boolean {
  return (
    x >= box.x &&
    x <= box.x + box.width &&
    y >= box.y &&
    y <= box.y + box.height
  );
}

function forTiles(box: IBox, add: (key: string) => void): void {
  const range = tilesOf(box);
  for (let x = range.left; x <= range.right; x++) {
    for (let y = range.top; y <= range.bottom; y++) {
      add(`${x},${y}`);
    }
  }
}

function put<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list) {
    list.push(value);
  } else {
    map.set(key, [value]);
  }
}
