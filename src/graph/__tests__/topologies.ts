/** Topologies for tests: small ones by hand, and many by chance from a seed. */
import type {
  ArtifactNode,
  Edge,
  TaskNode,
  TaskType,
  Topology
} from '../../api/types';

export function task(
  id: string,
  type: TaskType = 'RUNTIME',
  parent: string | null = null,
  iteration: number | null = null
): TaskNode {
  const name = id.slice(id.lastIndexOf('/') + 1);
  return {
    id,
    name,
    display_name: name,
    type,
    parent,
    iteration,
    component: null
  };
}

export function artifact(
  producer: string,
  name: string,
  parent: string | null = null
): ArtifactNode {
  return {
    id: `${producer}:${name}`,
    name,
    type: 'system.Dataset',
    producer,
    parent
  };
}

export function edge(
  source: string,
  target: string,
  kind: Edge['kind'] = 'dependency'
): Edge {
  const label = kind === 'input' ? 'data' : '';
  return { source, target, kind, label };
}

export function topology(
  tasks: TaskNode[],
  artifacts: ArtifactNode[] = [],
  edges: Edge[] = [],
  key = 'key'
): Topology {
  return { key, tasks, artifacts, edges };
}

/** load → (train, test) → train → model → evaluate → three artifacts that nobody reads. */
export function digits(): Topology {
  const made: [string, string][] = [
    ['load', 'train'],
    ['load', 'test'],
    ['train', 'model'],
    ['evaluate', 'metrics'],
    ['evaluate', 'report'],
    ['evaluate', 'roc']
  ];
  return topology(
    ['load', 'train', 'evaluate'].map(id => task(id)),
    made.map(([producer, name]) => artifact(producer, name)),
    [
      ...made.map(([producer, name]) =>
        edge(producer, `${producer}:${name}`, 'output')
      ),
      edge('load:train', 'train', 'input'),
      edge('load:test', 'evaluate', 'input'),
      edge('train:model', 'evaluate', 'input')
    ]
  );
}

/** A loop of `count` iterations with two steps each, between two steps. */
export function loop(count: number): Topology {
  const tasks = [task('first'), task('loop', 'LOOP'), task('last')];
  const edges = [edge('first', 'loop'), edge('loop', 'last')];
  for (let i = 0; i < count; i++) {
    const scope = `loop[${i}]`;
    tasks.push(
      task(scope, 'LOOP_ITERATION', 'loop', i),
      task(`${scope}/a`, 'RUNTIME', scope),
      task(`${scope}/b`, 'RUNTIME', scope)
    );
    edges.push(edge(`${scope}/a`, `${scope}/b`));
    edges.push(edge('first', `${scope}/a`));
  }
  return topology(tasks, [], edges);
}

/** Numbers from 0 to 1, the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed * 7919 + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** A graph with nested groups, artifacts and edges that only reach back. */
export function anyTopology(seed: number): Topology {
  const random = randomFrom(seed);
  const pick = <T>(list: T[]) => list[Math.floor(random() * list.length)];
  const tasks: TaskNode[] = [];
  const artifacts: ArtifactNode[] = [];
  const edges: Edge[] = [];
  const groups: (string | null)[] = [null];
  const types: TaskType[] = ['DAG', 'LOOP', 'CONDITION', 'EXIT_HANDLER'];
  const count = 5 + Math.floor(random() * 60);
  for (let i = 0; i < count; i++) {
    const parent = pick(groups);
    const id = parent === null ? `t${i}` : `${parent}/t${i}`;
    if (random() < 0.15) {
      tasks.push(task(id, pick(types), parent));
      groups.push(id);
      continue;
    }
    const before = tasks.length ? pick(tasks).id : null;
    tasks.push(task(id, 'RUNTIME', parent));
    if (before !== null && random() < 0.8) {
      edges.push(edge(before, id));
    }
    for (let k = Math.floor(random() * 5); k > 1; k--) {
      artifacts.push(artifact(id, `o${k}`, parent));
      edges.push(edge(id, `${id}:o${k}`, 'output'));
    }
    if (artifacts.length && random() < 0.6) {
      const read = pick(artifacts);
      if (read.producer !== id) {
        edges.push(edge(read.id, id, 'input'));
      }
    }
  }
  return topology(tasks, artifacts, edges, `random-${seed}`);
}
