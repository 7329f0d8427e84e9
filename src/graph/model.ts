/** The words of the graph room: what is to be drawn, and where it lies. Lengths are CSS pixels. */
import type { Edge, TaskType } from '../api/types';

export type DrawKind = 'step' | 'group' | 'artifact';

/** A node to draw. A group is one node while collapsed, a container of others while expanded. */
export interface IDrawNode {
  id: string;
  kind: DrawKind;
  label: string;
  /** An artifact's type without its namespace; empty for tasks. */
  caption: string;
  taskType: TaskType | null;
  /** Id of the enclosing expanded group; null at the top. */
  parent: string | null;
  expanded: boolean;
  /** Executable tasks inside a group, at any depth. */
  leaves: number;
  width: number;
  height: number;
}

export interface IDrawEdge {
  id: string;
  source: string;
  target: string;
  kind: Edge['kind'];
  /** What travels; several names are joined by a comma. */
  label: string;
}

/** Nodes come in the pipeline's order, an enclosing group before what it holds. */
export interface IDrawing {
  /** Same key, same layout. */
  key: string;
  nodes: IDrawNode[];
  edges: IDrawEdge[];
}

export interface IBox {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface IPlacedEdge extends IDrawEdge {
  /** x and y of each point that the edge passes, source first. */
  points: number[];
  /** `elbow`: a right-angled branch of a trunk; else a curve that leaves and arrives vertically. */
  shape: 'curve' | 'elbow';
}

export interface ILayout {
  key: string;
  boxes: Record<string, IBox>;
  edges: IPlacedEdge[];
  width: number;
  height: number;
}
