/** From a run's topology to what is drawn: groups collapsed or expanded, artifacts shown or not. */
import type { ArtifactNode, TaskNode, Topology } from '../api/types';
import type { IDrawEdge, IDrawing, IDrawNode } from './model';
import { artifactSize, groupSize, stepSize } from './size';

export interface IBuildOptions {
  /** Ids of groups the user turned from their default. */
  toggled: ReadonlySet<string>;
  showArtifacts: boolean;
}

/** The types of tasks that hold others. */
const GROUPS: ReadonlySet<string> = new Set([
  'DAG',
  'CONDITION',
  'CONDITION_BRANCH',
  'LOOP',
  'LOOP_ITERATION',
  'EXIT_HANDLER'
]);

/** A loop may unfold into thousands: it opens when asked to. */
const COLLAPSED: ReadonlySet<string> = new Set(['LOOP', 'LOOP_ITERATION']);

/** A topology with its scopes resolved once, however often it is drawn. */
export class Scopes {
  constructor(readonly topology: Topology) {
    topology.tasks.forEach(task => this.tasks.set(task.id, task));
    for (const task of topology.tasks) {
      const parent = this.parentOf(task);
      if (parent !== null) {
        this.holders.add(parent);
      }
    }
    for (const task of topology.tasks) {
      if (!this.holders.has(task.id) && !GROUPS.has(task.type)) {
        this.register(task);
      }
    }
  }

  readonly tasks = new Map<string, TaskNode>();
  /** Ids of the tasks that hold others. */
  readonly holders = new Set<string>();
  /** Ids of the executable tasks inside each group, at any depth. */
  readonly leaves = new Map<string, string[]>();

  isGroup(task: TaskNode): boolean {
    return GROUPS.has(task.type) || this.holders.has(task.id);
  }

  /** Id of the enclosing group; a parent that is not in the topology counts as none. */
  parentOf(task: TaskNode): string | null {
    const { parent } = task;
    return parent !== null && parent !== task.id && this.tasks.has(parent)
      ? parent
      : null;
  }

  /** The scopes around a task, innermost first; a scope that contains itself ends them. */
  ancestors(id: string | null): string[] {
    const found: string[] = [];
    const seen = new Set<string>();
    let task = id === null ? undefined : this.tasks.get(id);
    while (task) {
      const parent = this.parentOf(task);
      if (parent === null || seen.has(parent)) {
        break;
      }
      seen.add(parent);
      found.push(parent);
      task = this.tasks.get(parent);
    }
    return found;
  }

  /** The scope an artifact lies in. */
  scopeOf(artifact: ArtifactNode): string | null {
    if (artifact.parent !== null && this.tasks.has(artifact.parent)) {
      return artifact.parent;
    }
    const producer = artifact.producer && this.tasks.get(artifact.producer);
    return producer ? this.parentOf(producer) : null;
  }

  private register(task: TaskNode): void {
    for (const scope of this.ancestors(task.id)) {
      const found = this.leaves.get(scope);
      if (found) {
        found.push(task.id);
      } else {
        this.leaves.set(scope, [task.id]);
      }
    }
  }
}

/** Whether a group is open while the user has not said otherwise. */
export function expandedByDefault(task: TaskNode): boolean {
  return !COLLAPSED.has(task.type);
}

export function build(scopes: Scopes, options: IBuildOptions): IDrawing {
  const { topology } = scopes;
  const stand = new Standing(scopes, options.toggled);
  const nodes = topology.tasks
    .filter(task => stand.in(task.id) === task.id)
    .map(task => taskNode(scopes, stand, task));
  if (options.showArtifacts) {
    for (const artifact of topology.artifacts) {
      if (stand.in(artifact.id) === artifact.id) {
        nodes.push(artifactNode(artifact, scopes.scopeOf(artifact)));
      }
    }
  }
  return {
    key: drawingKey(topology.key, options),
    nodes: parentsFirst(nodes),
    edges: buildEdges(scopes, stand, options.showArtifacts)
  };
}

export function drawingKey(
  topologyKey: string,
  options: IBuildOptions
): string {
  return JSON.stringify([
    topologyKey,
    options.showArtifacts,
    [...options.toggled].sort()
  ]);
}

/** Which drawn node stands for a task or an artifact: itself, or the collapsed group around it. */
class Standing {
  constructor(
    private readonly scopes: Scopes,
    private readonly toggled: ReadonlySet<string>
  ) {
    for (const task of scopes.topology.tasks) {
      this.found.set(task.id, this.outermost(task.id) ?? task.id);
    }
    for (const artifact of scopes.topology.artifacts) {
      const scope = scopes.scopeOf(artifact);
      const collapsed =
        scope === null
          ? null
          : (this.outermost(scope) ?? (this.isExpanded(scope) ? null : scope));
      this.found.set(artifact.id, collapsed ?? artifact.id);
    }
  }

  in(id: string): string | undefined {
    return this.found.get(id);
  }

  isExpanded(id: string): boolean {
    const task = this.scopes.tasks.get(id);
    return (
      task !== undefined &&
      this.scopes.holders.has(id) &&
      expandedByDefault(task) !== this.toggled.has(id)
    );
  }

  private outermost(id: string): string | null {
    const collapsed = this.scopes
      .ancestors(id)
      .filter(scope => !this.isExpanded(scope));
    return collapsed.length ? collapsed[collapsed.length - 1] : null;
  }

  private readonly found = new Map<string, string>();
}

function taskNode(scopes: Scopes, stand: Standing, task: TaskNode): IDrawNode {
  const isGroup = scopes.isGroup(task);
  const label =
    task.type === 'LOOP_ITERATION' && task.iteration !== null
      ? `Iteration ${task.iteration}`
      : task.display_name || task.name;
  return {
    id: task.id,
    kind: isGroup ? 'group' : 'step',
    label,
    caption: '',
    taskType: task.type,
    parent: scopes.parentOf(task),
    expanded: isGroup && stand.isExpanded(task.id),
    leaves: scopes.leaves.get(task.id)?.length ?? 0,
    ...(isGroup ? groupSize(label) : stepSize(label))
  };
}

function artifactNode(
  artifact: ArtifactNode,
  parent: string | null
): IDrawNode {
  const caption = shortType(artifact.type);
  return {
    id: artifact.id,
    kind: 'artifact',
    label: artifact.name,
    caption,
    taskType: null,
    parent,
    expanded: false,
    leaves: 0,
    ...artifactSize(artifact.name, caption)
  };
}

/** `system.Model` → `Model`. */
export function shortType(type: string): string {
  return type.slice(type.lastIndexOf('.') + 1);
}

function parentsFirst(nodes: IDrawNode[]): IDrawNode[] {
  const known = new Map(nodes.map(node => [node.id, node]));
  const depth = (node: IDrawNode): number => {
    let count = 0;
    let parent = node.parent;
    while (parent !== null && count <= known.size) {
      count += 1;
      parent = known.get(parent)?.parent ?? null;
    }
    return count;
  };
  const depths = new Map(nodes.map(node => [node.id, depth(node)]));
  return nodes.sort((a, b) => depths.get(a.id)! - depths.get(b.id)!);
}

function buildEdges(
  scopes: Scopes,
  stand: Standing,
  showArtifacts: boolean
): IDrawEdge[] {
  const edges = new Map<string, IDrawEdge & { labels: Set<string> }>();
  const add = (
    from: string,
    to: string,
    kind: IDrawEdge['kind'],
    label: string
  ) => {
    const source = stand.in(from);
    const target = stand.in(to);
    if (
      source === undefined ||
      target === undefined ||
      source === target ||
      encloses(scopes, source, target) ||
      encloses(scopes, target, source)
    ) {
      return;
    }
    const id = JSON.stringify([source, target]);
    let edge = edges.get(id);
    if (!edge) {
      edge = { id, source, target, kind, label: '', labels: new Set() };
      edges.set(id, edge);
    }
    if (label) {
      edge.labels.add(label);
    }
  };
  const producers = new Map(
    scopes.topology.artifacts.map(one => [one.id, one.producer])
  );
  for (const edge of scopes.topology.edges) {
    if (showArtifacts) {
      add(edge.source, edge.target, edge.kind, edge.label);
    } else if (!producers.has(edge.target)) {
      const source = producers.has(edge.source)
        ? producers.get(edge.source)
        : edge.source;
      if (source) {
        add(source, edge.target, 'dependency', edge.label);
      }
    }
  }
  return [...edges.values()].map(({ labels, ...edge }) => ({
    ...edge,
    label: [...labels].join(', ')
  }));
}

function encloses(scopes: Scopes, group: string, id: string): boolean {
  return scopes.holders.has(group) && scopes.ancestors(id).includes(group);
}
