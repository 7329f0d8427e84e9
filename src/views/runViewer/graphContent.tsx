/** What the graph draws at the present view: shapes in sight, or all as an overview. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { ArtifactStatus, State, TaskStatus } from '../../api/types';
import { affordable, type IVisible, type TileIndex } from '../../graph/cull';
import { stateIcons } from '../../icons';
import { isFinal, STATES } from '../../models/states';
import { GraphEdge, Overview } from './edges';
import type { IPicture, ViewerModel } from './model';
import { GraphNode } from './nodes';
import type { IViewport } from './useViewport';

export interface IGraphContentProps {
  model: ViewerModel;
  picture: IPicture;
  trans: TranslationBundle;
  index: TileIndex;
  viewport: IViewport;
  cursor: string | null;
  icons: string;
}

export function GraphContent(props: IGraphContentProps): JSX.Element {
  const { model, picture, index, viewport, cursor, icons, trans } = props;
  const { run, selected } = model;
  const { tiles, text } = viewport.view;
  const visible = React.useMemo<IVisible>(
    () => index.visible(tiles),
    [index, tiles]
  );
  const containers = React.useMemo(() => {
    const expanded = picture.drawing.nodes.filter(node => node.expanded);
    return new Set(expanded.map(node => node.id));
  }, [picture]);
  const { tasks, artifacts } = run;
  const states = React.useMemo(
    () => statesOf(model, tasks, artifacts),
    [model, tasks, artifacts]
  );
  const stateOf = (id: string) => states.get(id) ?? 'PENDING';
  const detail = affordable(text, visible.nodes.length + visible.edges.length);
  if (detail === 'overview') {
    return (
      <Overview
        layout={picture.layout}
        containers={containers}
        states={states}
        selected={selected}
      />
    );
  }
  const shapes = visible.nodes
    .map(id => picture.nodes.get(id)!)
    .map(node => (
      <GraphNode
        key={node.id}
        node={node}
        box={picture.layout.boxes[node.id]}
        detail={detail}
        selected={node.id === selected}
        focused={node.id === cursor}
        status={run.tasks[node.id]}
        artifact={run.artifacts[node.id]}
        producer={node.kind === 'artifact' ? stateOf(node.id) : undefined}
        done={node.kind === 'group' ? leavesDone(model, node.id) : 0}
        icons={icons}
        trans={trans}
      />
    ));
  const isContainer = (_: unknown, i: number) =>
    containers.has(visible.nodes[i]);
  return (
    <>
      {shapes.filter(isContainer)}
      {visible.edges.map(edge => (
        <GraphEdge
          key={edge.id}
          edge={edge}
          state={stateOf(edge.source)}
          lit={edge.source === selected || edge.target === selected}
          straight={detail === 'shapes'}
          arrow={`${icons}-arrow`}
        />
      ))}
      {shapes.filter((one, i) => !isContainer(one, i))}
    </>
  );
}

/** The state of every task, and of every artifact: its producer's. */
function statesOf(
  model: ViewerModel,
  tasks: Readonly<Record<string, TaskStatus>>,
  artifacts: Readonly<Record<string, ArtifactStatus>>
): Map<string, State> {
  const states = new Map<string, State>();
  for (const [id, status] of Object.entries(tasks)) {
    states.set(id, status.state);
  }
  for (const { id, producer } of model.scopes?.topology.artifacts ?? []) {
    const made = artifacts[id] ? 'SUCCEEDED' : 'PENDING';
    states.set(id, (producer && states.get(producer)) || made);
  }
  return states;
}

function leavesDone(model: ViewerModel, group: string): number {
  const leaves = model.scopes?.leaves.get(group) ?? [];
  return leaves.filter(id => isFinal(model.run.tasks[id]?.state ?? 'PENDING'))
    .length;
}

/** The icons and the arrowhead, defined once a graph and used by reference. */
export const Definitions = React.memo(
  ({ icons }: { icons: string }): JSX.Element => {
    return (
      <defs>
        {STATES.map(state => (
          <symbol
            key={state}
            id={`${icons}-${state}`}
            viewBox="0 0 16 16"
            // Our own icons, from the package.
            dangerouslySetInnerHTML={{ __html: stateIcons[state].svgstr }}
          />
        ))}
        {['', '-lit'].map(kind => (
          <marker
            key={kind}
            id={`${icons}-arrow${kind}`}
            className={`jp-PipelinesGraph-arrow jp-mod${kind}`}
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="8"
            markerHeight="8"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M1 1L7 4L1 7z" />
          </marker>
        ))}
      </defs>
    );
  }
);
