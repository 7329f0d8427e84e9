/**
 * Measures build and layout of pipeline-shaped graphs, on the CPU clock, median of five.
 *
 *   node benchmarks/layout.mjs [tasks …]
 */
import { createRequire } from 'node:module';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';

/** src/graph as CommonJS in a temporary folder: it is pure, so nothing else is needed. */
function loadGraph() {
  const source = new URL('../src/graph/', import.meta.url);
  const target = mkdtempSync(join(tmpdir(), 'graph-'));
  for (const name of readdirSync(source).filter(one => one.endsWith('.ts'))) {
    const { outputText } = ts.transpileModule(
      readFileSync(new URL(name, source), 'utf8'),
      { compilerOptions: { module: 'commonjs', target: 'es2020' } }
    );
    writeFileSync(join(target, name.replace(/ts$/, 'js')), outputText);
  }
  const require = createRequire(join(target, 'x.js'));
  return { ...require('./build.js'), ...require('./layout.js') };
}

function task(id, type = 'RUNTIME', parent = null, iteration = null) {
  const shared = { component: null, iteration, parent, type };
  return { ...shared, id, name: id, display_name: id };
}

/** About 1.25 edges a task, reaching back a little: what pipelines look like. */
function chainLike(count) {
  const tasks = Array.from({ length: count }, (_, i) => task(`t${i}`));
  const edges = [];
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let i = 1; i < count; i++) {
    for (let k = random() < 0.25 ? 2 : 1; k > 0; k--) {
      const back = 1 + Math.floor(random() * Math.min(i, 12));
      const ends = { source: `t${i - back}`, target: `t${i}` };
      edges.push({ ...ends, kind: 'dependency', label: '' });
    }
  }
  return { key: `chain-${count}`, tasks, artifacts: [], edges };
}

/** One loop of `count / 2` iterations with a task each. */
function loop(count) {
  const tasks = [task('loop', 'LOOP')];
  for (let i = 0; i < count / 2; i++) {
    tasks.push(task(`loop[${i}]`, 'LOOP_ITERATION', 'loop', i));
    tasks.push(task(`loop[${i}]/train`, 'RUNTIME', `loop[${i}]`));
  }
  return { key: `loop-${count}`, tasks, artifacts: [], edges: [] };
}

function measure(graph, topology, toggled) {
  const times = [];
  let nodes = 0;
  for (let i = 0; i < 5; i++) {
    const start = process.cpuUsage();
    const scopes = new graph.Scopes(topology);
    const drawing = graph.build(scopes, { toggled, showArtifacts: true });
    const layout = graph.layout(drawing);
    const used = process.cpuUsage(start);
    nodes = Object.keys(layout.boxes).length;
    times.push((used.user + used.system) / 1000);
  }
  times.sort((a, b) => a - b);
  return { nodes, ms: Math.round(times[2]) };
}

const graph = loadGraph();
const sizes = process.argv.slice(2).map(Number);
for (const count of sizes.length ? sizes : [200, 1000, 5000, 10000]) {
  const chain = measure(graph, chainLike(count), new Set());
  const open = loop(count);
  const all = new Set(
    open.tasks.filter(one => /LOOP/.test(one.type)).map(one => one.id)
  );
  const folded = measure(graph, open, new Set());
  const unfolded = measure(graph, open, all);
  console.log(
    `${count} tasks: ${chain.ms} ms; as a loop, folded ${folded.ms} ms, unfolded (${unfolded.nodes} nodes) ${unfolded.ms} ms`
  );
}
