/** The graph: culled shapes in a frame that pans and zooms; a status update redraws one node. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { UUID } from '@lumino/coreutils';
import React from 'react';
import type { ArtifactStatus, State, TaskStatus } from '../../api/types';
import { affordable, TileIndex, type IVisible } from '../../graph/cull';
import { Walk } from '../../graph/walk';
import { stateIcons } from '../../icons';
import { isFinal, STATES } from '../../models/states';
import { useSignals } from '../useSignal';
import { GraphEdge, Overview } from './edges';
import { GraphTools } from './graphTools';
import { keyAction } from './keys';
import { Legend } from './legend';
import type { IPicture, ViewerModel } from './model';
import { GraphNode } from './nodes';
import { describe } from './nodeText';
import { useViewport, type IViewport } from './useViewport';
import {
  fit,
  MAX_SCALE,
  opening,
  withInView,
  zoomAt,
  type ITransform
} from './viewport';

export interface IGraphProps {
  model: ViewerModel;
  picture: IPicture;
  trans: TranslationBundle;
}

export function GraphView({ model, picture, trans }: IGraphProps): JSX.Element {
  const { run } = model;
  useSignals(run.changed);
  const viewport = useViewport();
  const [cursor, setCursor] = React.useState<string | null>(null);
  const icons = React.useMemo(() => `jp-pipelines-${UUID.uuid4()}`, []);
  const index = React.useMemo(
    () => new TileIndex(picture.layout),
    [picture.layout]
  );
  const walk = React.useMemo(
    () => new Walk(picture.drawing, picture.layout),
    [picture]
  );
  usePlacement(model, picture, viewport, walk);

  const onClick = (event: React.MouseEvent) => {
    if (viewport.wasDrag()) {
      return;
    }
    const target = event.target as Element;
    const turner = target.closest('[data-toggle]');
    if (turner) {
      model.toggle(turner.getAttribute('data-toggle')!);
      return;
    }
    const { x, y } = viewport.toDrawing(event.clientX, event.clientY);
    const hit = index.at(x, y);
    const isBody =
      hit !== null &&
      picture.nodes.get(hit)?.expanded &&
      !target.closest('[data-header]');
    setCursor(null);
    model.select(isBody ? null : hit);
  };
  const onDoubleClick = (event: React.MouseEvent) => {
    const { x, y } = viewport.toDrawing(event.clientX, event.clientY);
    const hit = index.at(x, y);
    if (hit !== null && picture.nodes.get(hit)?.kind === 'group') {
      model.toggle(hit);
    }
  };
  const zoom = (factor: number) => {
    const { width, height } = viewport.frame ?? { width: 0, height: 0 };
    const next = zoomAt(viewport.get(), factor, width / 2, height / 2);
    viewport.set(next, true);
  };
  const fitAll = () => {
    if (viewport.frame) {
      viewport.set(fit(picture.layout, viewport.frame), false);
    }
  };
  const goTo = (id: string | null) => {
    const box = id === null ? undefined : picture.layout.boxes[id];
    setCursor(id);
    if (box && viewport.frame) {
      viewport.set(withInView(viewport.get(), box, viewport.frame), true);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const at = cursor ?? model.selected;
    const action = keyAction(event);
    switch (action?.kind) {
      case undefined:
        return;
      case 'step':
        goTo(at === null ? walk.first() : (walk.step(at, action.to) ?? at));
        break;
      case 'select':
        model.select(at);
        break;
      case 'toggle':
        if (at !== null) {
          model.toggle(at);
        }
        break;
      case 'clear':
        setCursor(null);
        model.select(null);
        break;
      case 'fit':
        fitAll();
        break;
      case 'zoom':
        zoom(action.factor);
        break;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const focusNode = cursor === null ? undefined : picture.nodes.get(cursor);
  return (
    <div className="jp-PipelinesGraph">
      <div
        ref={viewport.frameRef}
        className="jp-PipelinesGraph-frame"
        tabIndex={0}
        role="application"
        aria-roledescription={trans.__('graph')}
        aria-label={trans.__(
          'Graph of the run. Arrow keys move along the edges, Enter selects, Escape clears, F fits.'
        )}
        onClick={onClick}
        onDoubleClick={onDoubleClick}
        onKeyDown={onKeyDown}
        onBlur={() => setCursor(null)}
      >
        <svg width="100%" height="100%" aria-hidden="true">
          <Definitions icons={icons} />
          <g ref={viewport.groupRef}>
            <Content
              model={model}
              picture={picture}
              index={index}
              viewport={viewport}
              cursor={cursor}
              icons={icons}
              trans={trans}
            />
          </g>
        </svg>
      </div>
      <div className="jp-PipelinesGraph-announcer" aria-live="polite">
        {focusNode && describe(focusNode, run, trans)}
      </div>
      <GraphTools model={model} trans={trans} onZoom={zoom} onFit={fitAll} />
      <Legend trans={trans} />
    </div>
  );
}

interface IContentProps extends IGraphProps {
  index: TileIndex;
  viewport: IViewport;
  cursor: string | null;
  icons: string;
}

function Content(props: IContentProps): JSX.Element {
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
const Definitions = React.memo(({ icons }: { icons: string }): JSX.Element => {
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
});

/** Fits the first picture, keeps the view at every later one, and follows `revealed`. */
function usePlacement(
  model: ViewerModel,
  picture: IPicture,
  viewport: IViewport,
  walk: Walk
): void {
  const { frame } = viewport;
  const placed = React.useRef<IPicture | null>(null);
  React.useLayoutEffect(() => {
    if (!frame) {
      return;
    }
    const before = placed.current;
    placed.current = picture;
    if (!before || !viewport.movedByUser()) {
      const first = walk.first();
      const view = opening(
        picture.layout,
        frame,
        before ? null : focusOf(model, picture),
        first === null ? null : picture.layout.boxes[first]
      );
      viewport.set(view, false);
    } else if (before !== picture) {
      viewport.set(anchored(viewport.get(), before, picture), true);
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [picture, frame]);
  React.useEffect(() => {
    const onRevealed = (_: ViewerModel, id: string) => {
      const box = model.picture?.layout.boxes[id];
      if (box && frame) {
        const view = viewport.get();
        const k = Math.min(MAX_SCALE, Math.max(view.k, 0.75));
        viewport.set(withInView({ ...view, k }, box, frame), true);
      }
    };
    model.revealed.connect(onRevealed);
    return () => {
      model.revealed.disconnect(onRevealed);
    };
  }, [model, frame, viewport]);
}

/** Where to look first in a graph too large for its frame: what failed, else what runs. */
function focusOf(model: ViewerModel, picture: IPicture) {
  const { tasks } = model.run;
  for (const state of ['FAILED', 'RUNNING']) {
    const node = picture.drawing.nodes.find(
      one => !one.expanded && tasks[one.id]?.state === state
    );
    if (node) {
      return picture.layout.boxes[node.id];
    }
  }
  return null;
}

/** The view in which the anchor lies where it lay before. */
function anchored(
  view: ITransform,
  before: IPicture,
  after: IPicture
): ITransform {
  const was = after.anchor && before.layout.boxes[after.anchor];
  const is = after.anchor && after.layout.boxes[after.anchor];
  if (!was || !is) {
    return view;
  }
  return {
    k: view.k,
    x: view.x + (was.x - is.x) * view.k,
    y: view.y + (was.y - is.y) * view.k
  };
}
