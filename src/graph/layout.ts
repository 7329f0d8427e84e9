/** Places a drawing: groups inside out, each container as a layered graph of its own. */
import { flatLayout } from './flat';
import type {
  IBox,
  IDrawEdge,
  IDrawing,
  IDrawNode,
  ILayout,
  IPlacedEdge
} from './model';
import { GROUP_HEADER, GROUP_PADDING, groupSize, type ISize } from './size';
import { findStacks, type IStack, stackSize, stackSlots } from './stack';

/** An edge as one container sees it: between two of its own items. */
interface ILocalEdge {
  edge: IDrawEdge;
  source: string;
  target: string;
}

interface IContainer {
  /** Ids of nodes and stacks, in order. */
  items: string[];
  edges: ILocalEdge[];
}

const ROOT = '';

export function layout(drawing: IDrawing): ILayout {
  return new Layouter(drawing).run();
}

class Layouter {
  constructor(private readonly drawing: IDrawing) {
    drawing.nodes.forEach(node => this.nodes.set(node.id, node));
    this.stacks = findStacks(drawing);
    for (const stack of this.stacks.values()) {
      stack.members.forEach(member => this.stackOf.set(member, stack));
    }
    this.fillContainers();
  }

  run(): ILayout {
    const total = this.measure(ROOT);
    this.moveInto(ROOT, 0, 0);
    return {
      key: this.drawing.key,
      // In the drawing's order: what encloses is drawn before what it holds.
      boxes: Object.fromEntries(
        this.drawing.nodes.map(node => [node.id, this.boxes.get(node.id)!])
      ),
      edges: this.route(),
      width: total.width,
      height: total.height
    };
  }

  private fillContainers(): void {
    for (const node of this.drawing.nodes) {
      const stack = this.stackOf.get(node.id);
      if (!stack || stack.members[0] === node.id) {
        this.container(node.parent ?? ROOT).items.push(stack?.id ?? node.id);
      }
    }
    for (const edge of this.drawing.edges) {
      const meeting = this.meet(edge.source, edge.target);
      if (meeting) {
        this.container(meeting.scope).edges.push({ edge, ...meeting });
      }
    }
  }

  private container(id: string): IContainer {
    let container = this.containers.get(id);
    if (!container) {
      container = { items: [], edges: [] };
      this.containers.set(id, container);
    }
    return container;
  }

  /** The innermost container around both ends, and its items that hold them. */
  private meet(
    a: string,
    b: string
  ): { scope: string; source: string; target: string } | null {
    const up = this.lineage(a);
    const other = new Map(this.lineage(b));
    for (const [scope, source] of up) {
      const target = other.get(scope);
      if (target !== undefined) {
        return source === target ? null : { scope, source, target };
      }
    }
    return null;
  }

  /** Each container around a node with the item that stands for the node in it, innermost first. */
  private lineage(id: string): [string, string][] {
    const steps: [string, string][] = [];
    let item = this.stackOf.get(id)?.id ?? id;
    let parent = this.nodes.get(id)?.parent ?? null;
    while (steps.length <= this.nodes.size) {
      steps.push([parent ?? ROOT, item]);
      if (parent === null) {
        break;
      }
      item = parent;
      parent = this.nodes.get(parent)?.parent ?? null;
    }
    return steps;
  }

  /** Lays out a container's inside at the origin; returns the size of what it holds. */
  private measure(id: string): ISize {
    const { items, edges } = this.container(id);
    const sizes = items.map(item => this.sizeOf(item));
    const index = new Map(items.map((item, i) => [item, i]));
    const flat = flatLayout(
      sizes,
      edges.map(({ source, target }) => [
        index.get(source)!,
        index.get(target)!
      ])
    );
    items.forEach((item, i) =>
      this.boxes.set(item, {
        x: flat.corners[2 * i],
        y: flat.corners[2 * i + 1],
        ...sizes[i]
      })
    );
    edges.forEach(({ edge }, i) => this.bends.set(edge.id, flat.bends[i]));
    return { width: flat.width, height: flat.height };
  }

  private sizeOf(item: string): ISize {
    const stack = this.stacks.get(item);
    if (stack) {
      return stackSize(stack.members.map(id => this.nodes.get(id)!));
    }
    const node = this.nodes.get(item)!;
    if (!node.expanded) {
      return { width: node.width, height: node.height };
    }
    const inside = this.measure(item);
    return {
      width: Math.max(
        inside.width + 2 * GROUP_PADDING,
        groupSize(node.label).width
      ),
      height: inside.height + GROUP_HEADER + GROUP_PADDING
    };
  }

  /** From places within a container to places on the whole drawing. */
  private moveInto(id: string, x: number, y: number): void {
    const { items, edges } = this.container(id);
    for (const { edge } of edges) {
      const bends = this.bends.get(edge.id)!;
      this.bends.set(
        edge.id,
        bends.map((v, k) => v + (k % 2 ? y : x))
      );
    }
    for (const item of items) {
      const box = this.boxes.get(item)!;
      box.x += x;
      box.y += y;
      const stack = this.stacks.get(item);
      if (stack) {
        this.unstack(stack, box);
      } else if (this.nodes.get(item)!.expanded) {
        this.moveInto(item, box.x + GROUP_PADDING, box.y + GROUP_HEADER);
      }
    }
  }

  private unstack(stack: IStack, box: IBox): void {
    this.boxes.delete(stack.id);
    const members = stack.members.map(id => this.nodes.get(id)!);
    stackSlots(members, box).forEach((slot, i) =>
      this.boxes.set(members[i].id, slot)
    );
  }

  private route(): IPlacedEdge[] {
    return this.drawing.edges
      .filter(edge => this.bends.has(edge.id))
      .map(edge => {
        const stack = this.stackOf.get(edge.target);
        return stack
          ? this.elbow(edge)
          : {
              ...edge,
              shape: 'curve',
              points: this.curve(edge)
            };
      });
  }

  private curve(edge: IDrawEdge): number[] {
    const from = this.boxes.get(edge.source)!;
    const to = this.boxes.get(edge.target)!;
    return [
      from.x + from.width / 2,
      from.y + from.height,
      ...this.bends.get(edge.id)!,
      to.x + to.width / 2,
      to.y
    ];
  }

  private elbow(edge: IDrawEdge): IPlacedEdge {
    const from = this.boxes.get(edge.source)!;
    const to = this.boxes.get(edge.target)!;
    const points = [
      from.x + from.width / 2,
      from.y + from.height,
      to.x,
      to.y + to.height / 2
    ];
    return { ...edge, shape: 'elbow', points };
  }

  private readonly nodes = new Map<string, IDrawNode>();
  private readonly stacks: Map<string, IStack>;
  private readonly stackOf = new Map<string, IStack>();
  private readonly containers = new Map<string, IContainer>();
  private readonly boxes = new Map<string, IBox>();
  private readonly bends = new Map<string, number[]>();
}
