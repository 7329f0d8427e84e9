/** A task's artifacts that nobody reads, stacked in a column under it instead of spread in a row. */
import type { IBox, IDrawing, IDrawNode } from './model';
import type { ISize } from './size';

export interface IStack {
  id: string;
  /** Ids of the artifacts, top first. */
  members: string[];
}

/** Fewer than this stand side by side as well as in a column. */
const MIN_MEMBERS = 3;
const GAP = 6;
/** Room for the trunk from which the branches leave. */
export const STACK_INDENT = 16;

export function findStacks(drawing: IDrawing): Map<string, IStack> {
  const incoming = new Map<string, string[]>();
  const isRead = new Set<string>();
  for (const edge of drawing.edges) {
    isRead.add(edge.source);
    const sources = incoming.get(edge.target);
    if (sources) {
      sources.push(edge.source);
    } else {
      incoming.set(edge.target, [edge.source]);
    }
  }
  const groups = new Map<string, string[]>();
  for (const node of drawing.nodes) {
    const sources = incoming.get(node.id);
    if (
      node.kind === 'artifact' &&
      sources?.length === 1 &&
      !isRead.has(node.id)
    ) {
      const key = JSON.stringify(['stack', node.parent, sources[0]]);
      const members = groups.get(key);
      if (members) {
        members.push(node.id);
      } else {
        groups.set(key, [node.id]);
      }
    }
  }
  const stacks = new Map<string, IStack>();
  for (const [id, members] of groups) {
    if (members.length >= MIN_MEMBERS) {
      stacks.set(id, { id, members });
    }
  }
  return stacks;
}

export function stackSize(members: readonly IDrawNode[]): ISize {
  return {
    width: STACK_INDENT + Math.max(...members.map(node => node.width)),
    height: members.reduce((sum, node) => sum + node.height + GAP, -GAP)
  };
}

/** The boxes of a stack's members; all as wide as the widest. */
export function stackSlots(members: readonly IDrawNode[], box: IBox): IBox[] {
  let y = box.y;
  return members.map(node => {
    const slot = {
      x: box.x + STACK_INDENT,
      y,
      width: box.width - STACK_INDENT,
      height: node.height
    };
    y += node.height + GAP;
    return slot;
  });
}
