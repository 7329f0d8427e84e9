/** The edges of a graph, and everything at once as a few paths when the scale shows no detail. */
import React from 'react';
import type { State } from '../../api/types';
import { STATES } from '../../models/states';
import type { IBox, ILayout, IPlacedEdge } from '../../graph/model';
import { edgeLine, edgePath } from '../../graph/path';

export interface IEdgeProps {
  edge: IPlacedEdge;
  /** Where the edge begins: state of its source, or of its source's producer. */
  state: State;
  /** Touches the selected node. */
  lit: boolean;
  straight: boolean;
  /** Id of the arrowhead. */
  arrow: string;
}

export const GraphEdge = React.memo((props: IEdgeProps): JSX.Element => {
  const { edge, state, lit, straight, arrow } = props;
  const classes = [
    'jp-PipelinesGraph-edge',
    `jp-mod-${edge.kind}`,
    lit ? 'jp-mod-lit' : '',
    state === 'CACHED' ? 'jp-mod-cached' : '',
    state === 'SUCCEEDED' || state === 'CACHED' ? '' : 'jp-mod-waiting'
  ];
  const arrowhead = straight || edge.shape === 'elbow' ? undefined : arrow;
  return (
    <path
      className={classes.filter(Boolean).join(' ')}
      d={straight ? edgeLine(edge) : edgePath(edge)}
      markerEnd={arrowhead && `url(#${arrowhead}${lit ? '-lit' : ''})`}
    >
      {edge.label && <title>{edge.label}</title>}
    </path>
  );
});

export interface IOverviewProps {
  layout: ILayout;
  /** Ids of expanded groups: drawn as outlines below the rest. */
  containers: ReadonlySet<string>;
  /** State of every node; the same map as long as nothing changed. */
  states: ReadonlyMap<string, State>;
  selected: string | null;
}

/** More lines than this only blacken the picture. */
const MAX_LINES = 20_000;

/** All nodes as one path a state, all edges as one path: ten elements for ten thousand nodes. */
export const Overview = React.memo((props: IOverviewProps): JSX.Element => {
  const { layout, containers, states, selected } = props;
  const lines = React.useMemo(
    () => layout.edges.slice(0, MAX_LINES).map(edgeLine).join(''),
    [layout]
  );
  const outlines = React.useMemo(
    () => [...containers].map(id => rectangle(layout.boxes[id])).join(''),
    [layout, containers]
  );
  const blocks = React.useMemo(
    () => blocksByState(layout, containers, states),
    [layout, containers, states]
  );
  const chosen = selected === null ? undefined : layout.boxes[selected];
  return (
    <g className="jp-PipelinesGraph-overview">
      <path className="jp-PipelinesGraph-outlines" d={outlines} />
      <path className="jp-PipelinesGraph-lines" d={lines} />
      {STATES.filter(state => blocks.has(state)).map(state => (
        <path
          key={state}
          className="jp-PipelinesGraph-blocks"
          data-pipelines-state={state}
          d={blocks.get(state)}
        />
      ))}
      {chosen && (
        <path className="jp-PipelinesGraph-chosen" d={rectangle(chosen)} />
      )}
    </g>
  );
});

function blocksByState(
  layout: ILayout,
  containers: ReadonlySet<string>,
  states: ReadonlyMap<string, State>
): Map<State, string> {
  const parts = new Map<State, string>();
  for (const [id, box] of Object.entries(layout.boxes)) {
    if (!containers.has(id)) {
      const state = states.get(id) ?? 'PENDING';
      parts.set(state, (parts.get(state) ?? '') + rectangle(box));
    }
  }
  return parts;
}

function rectangle(box: IBox | undefined): string {
  return box
    ? `M${Math.round(box.x)} ${Math.round(box.y)}h${Math.round(box.width)}v${Math.round(box.height)}h${-Math.round(box.width)}z`
    : '';
}
