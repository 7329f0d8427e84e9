import { build, Scopes } from '../build';
import {
  anyTopology,
  artifact,
  digits,
  edge,
  loop,
  task,
  topology
} from './topologies';

const PLAIN = { toggled: new Set<string>(), showArtifacts: true };

function ids(made: ReturnType<typeof build>): string[] {
  return made.nodes.map(node => node.id);
}

function links(made: ReturnType<typeof build>): string[] {
  return made.edges.map(one => `${one.source}>${one.target}`);
}

describe('build', () => {
  it('draws steps and artifacts with the edges between', () => {
    const made = build(new Scopes(digits()), PLAIN);
    expect(made.nodes).toHaveLength(9);
    expect(links(made)).toContain('load:test>evaluate');
    const test = made.nodes.find(node => node.id === 'load:test')!;
    expect([test.kind, test.label, test.caption]).toEqual([
      'artifact',
      'test',
      'Dataset'
    ]);
  });

  it('joins steps directly while artifacts are hidden', () => {
    const made = build(new Scopes(digits()), {
      ...PLAIN,
      showArtifacts: false
    });
    expect(ids(made)).toEqual(['load', 'train', 'evaluate']);
    expect(links(made).sort()).toEqual([
      'load>evaluate',
      'load>train',
      'train>evaluate'
    ]);
  });

  it('collapses a loop until asked, and counts what it holds', () => {
    const made = build(new Scopes(loop(50)), PLAIN);
    expect(ids(made)).toEqual(['first', 'loop', 'last']);
    expect(links(made)).toEqual(['first>loop', 'loop>last']);
    expect(made.nodes[1]).toMatchObject({
      kind: 'group',
      expanded: false,
      leaves: 100
    });
  });

  it('expands one level when a group is turned', () => {
    const made = build(new Scopes(loop(3)), {
      ...PLAIN,
      toggled: new Set(['loop'])
    });
    expect(ids(made)).toContain('loop[2]');
    expect(ids(made)).not.toContain('loop[2]/a');
    expect(made.nodes.find(node => node.id === 'loop[2]')?.label).toBe(
      'Iteration 2'
    );
    expect(links(made)).toContain('first>loop[2]');
  });

  it('shows what leaves a collapsed group, and hides what stays inside', () => {
    const made = build(
      new Scopes(
        topology(
          [
            task('loop', 'LOOP'),
            task('loop/a', 'RUNTIME', 'loop'),
            task('end')
          ],
          [artifact('loop/a', 'inner', 'loop'), artifact('loop', 'outer')],
          [
            edge('loop/a', 'loop/a:inner', 'output'),
            edge('loop', 'loop:outer', 'output'),
            edge('loop:outer', 'end', 'input')
          ]
        )
      ),
      PLAIN
    );
    expect(ids(made).sort()).toEqual(['end', 'loop', 'loop:outer']);
    expect(links(made)).toEqual(['loop>loop:outer', 'loop:outer>end']);
  });

  it('never draws an edge into or out of what is not drawn', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const shape = anyTopology(seed);
      const toggled = new Set(
        shape.tasks.filter((_, i) => i % 3 === 0).map(one => one.id)
      );
      const made = build(new Scopes(shape), { toggled, showArtifacts: true });
      const drawn = new Set(ids(made));
      for (const one of made.edges) {
        expect(drawn.has(one.source) && drawn.has(one.target)).toBe(true);
        expect(one.source).not.toBe(one.target);
      }
      expect(new Set(links(made)).size).toBe(made.edges.length);
    }
  });

  it('survives a parent that is missing and a scope that holds itself', () => {
    const shape = topology(
      [
        task('a', 'RUNTIME', 'gone'),
        task('b', 'DAG', 'c'),
        task('c', 'DAG', 'b'),
        task('d', 'RUNTIME', 'd')
      ],
      [],
      [edge('a', 'nowhere'), edge('a', 'd')]
    );
    const made = build(new Scopes(shape), PLAIN);
    expect(ids(made)).toContain('a');
    expect(links(made)).toEqual(['a>d']);
  });

  it('gives the same key for the same choices in any order', () => {
    const scopes = new Scopes(loop(2));
    const key = (...toggled: string[]) =>
      build(scopes, { toggled: new Set(toggled), showArtifacts: true }).key;
    expect(key('loop', 'loop[0]')).toBe(key('loop[0]', 'loop'));
    expect(key('loop')).not.toBe(key());
  });
});
