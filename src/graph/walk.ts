/** Where an arrow key leads from a node: along the edges, or to the neighbour in its row. */
import type { IBox, IDrawing, ILayout } from './model';

export type Direction = 'up' | 'down' | 'left' | 'right';

export class Walk {
  constructor(
    drawing: IDrawing,
    private readonly layout: ILayout
  ) {
    for (const node of drawing.nodes) {
      if (node.parent !== null) {
        add(this.children, node.parent, node.id);
      }
    }
    for (const edge of layout.edges) {
      add(this.next, edge.source, edge.target);
      add(this.previous, edge.target, edge.source);
    }
  }

  /** The top left node: where the keyboard enters. */
  first(): string | null {
    let best: string | null = null;
    for (const [id, box] of Object.entries(this.layout.boxes)) {
      const other = best === null ? null : this.layout.boxes[best];
      if (!other || box.y < other.y || (box.y === other.y && box.x < other.x)) {
        best = id;
      }
    }
    return best;
  }

  /** Null where there is nothing in that direction; down from an open group leads into it. */
  step(from: string, direction: Direction): string | null {
    const box = this.layout.boxes[from];
    if (!box) {
      return this.first();
    }
    const inside = this.children.get(from);
    if (direction === 'down' && inside) {
      return least(inside, id => this.layout.boxes[id].y);
    }
    if (direction === 'up' || direction === 'down') {
      const links = direction === 'down' ? this.next : this.previous;
      const linked = this.nearest(box, links.get(from) ?? []);
      return linked ?? this.toward(from, box, direction);
    }
    return this.toward(from, box, direction);
  }

  private nearest(box: IBox, ids: readonly string[]): string | null {
    return least(ids, id => {
      const other = this.layout.boxes[id];
      return other ? Math.abs(middleX(other) - middleX(box)) : Infinity;
    });
  }

  /** The closest node on that side; sideways, one at the same height counts as closer. */
  private toward(from: string, box: IBox, direction: Direction): string | null {
    const sideways = direction === 'left' || direction === 'right';
    const sign = direction === 'left' || direction === 'up' ? -1 : 1;
    return least(Object.keys(this.layout.boxes), id => {
      const other = this.layout.boxes[id];
      const dx = middleX(other) - middleX(box);
      const dy = middleY(other) - middleY(box);
      const ahead = sign * (sideways ? dx : dy);
      const aside = Math.abs(sideways ? dy : dx);
      return id === from || ahead <= 1 ? Infinity : ahead + 3 * aside;
    });
  }

  private readonly children = new Map<string, string[]>();
  private readonly next = new Map<string, string[]>();
  private readonly previous = new Map<string, string[]>();
}

function least(
  ids: readonly string[],
  cost: (id: string) => number
): string | null {
  let best: string | null = null;
  let lowest = Infinity;
  for (const id of ids) {
    const value = cost(id);
    if (value < lowest) {
      lowest = value;
      best = id;
    }
  }
  return best;
}

function middleX(box: IBox): number {
  return box.x + box.width / 2;
}

function middleY(box: IBox): number {
  return box.y + box.height / 2;
}

function add(map: Map<string, string[]>, from: string, to: string): void {
  const list = map.get(from);
  if (list) {
    list.push(to);
  } else {
    map.set(from, [to]);
  }
}
