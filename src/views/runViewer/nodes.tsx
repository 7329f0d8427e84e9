/** The shapes of a graph's nodes: steps rounded, artifacts angular, groups as containers. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { ArtifactStatus, State, TaskStatus } from '../../api/types';
import type { Detail } from '../../graph/cull';
import type { IBox, IDrawNode } from '../../graph/model';
import { GROUP_HEADER } from '../../graph/size';
import { durationMs, isFinal } from '../../models/states';
import { stateLabel } from '../stateMark';
import { formatDuration } from '../time';
import { useNow } from '../useSignal';
import { cut, kindLabel } from './nodeText';

export interface INodeProps {
  node: IDrawNode;
  box: IBox;
  detail: Detail;
  selected: boolean;
  focused: boolean;
  status: TaskStatus | undefined;
  artifact: ArtifactStatus | undefined;
  /** State of the artifact's producer. */
  producer: State | undefined;
  /** How many of a group's tasks are over. */
  done: number;
  /** Prefix of the icons' ids in this graph. */
  icons: string;
  trans: TranslationBundle;
}

/** Mean width of a character of a caption's 11 px text. */
const CAPTION_CHARACTER = 5.7;

/** Drawn again only when something of its own changed. */
export const GraphNode = React.memo((props: INodeProps): JSX.Element => {
  const { node, box, status, selected, focused } = props;
  const state = status?.state ?? props.producer ?? 'PENDING';
  const classes = [
    'jp-PipelinesGraph-node',
    `jp-mod-${node.kind}`,
    node.expanded ? 'jp-mod-expanded' : '',
    selected ? 'jp-mod-selected' : '',
    focused ? 'jp-mod-focused' : '',
    node.kind === 'artifact' && !props.artifact ? 'jp-mod-absent' : ''
  ];
  return (
    <g
      className={classes.filter(Boolean).join(' ')}
      data-pipelines-state={state}
      data-node={node.id}
      transform={`translate(${box.x} ${box.y})`}
    >
      <Shape {...props} state={state} />
    </g>
  );
});

function Shape(props: INodeProps & { state: State }): JSX.Element {
  switch (props.node.kind) {
    case 'artifact':
      return <ArtifactShape {...props} />;
    case 'group':
      return props.node.expanded ? (
        <ContainerShape {...props} />
      ) : (
        <StepShape {...props} />
      );
    case 'step':
      return <StepShape {...props} />;
  }
}

/** A step, or a collapsed group: then a second outline behind says that it holds more. */
function StepShape(props: INodeProps & { state: State }): JSX.Element {
  const { node, box, detail, icons, state } = props;
  const { width, height } = box;
  const isGroup = node.kind === 'group';
  const radius = isGroup ? 8 : height / 2;
  const text = detail === 'full' || detail === 'labels';
  const room = width - 46 - (isGroup ? 26 : 6);
  return (
    <>
      {isGroup && (
        <rect
          className="jp-PipelinesGraph-stack"
          x={4}
          y={4}
          width={width}
          height={height}
          rx={radius}
        />
      )}
      <Ring width={width} height={height} radius={radius} />
      <rect
        className="jp-PipelinesGraph-ground"
        width={width}
        height={height}
        rx={radius}
      />
      <rect
        className="jp-PipelinesGraph-shape"
        width={width}
        height={height}
        rx={radius}
      />
      {state === 'CACHED' && (
        <rect
          className="jp-PipelinesGraph-inner"
          x={3}
          y={3}
          width={width - 6}
          height={height - 6}
          rx={Math.max(2, radius - 3)}
        />
      )}
      {detail !== 'shapes' && (
        <StateMark icons={icons} state={state} x={23} y={height / 2} />
      )}
      {text && (
        <text
          className="jp-PipelinesGraph-label"
          x={40}
          y={detail === 'full' ? 18 : height / 2 + 5}
        >
          {cut(node.label, room, 6.9)}
        </text>
      )}
      {detail === 'full' && (
        <text className="jp-PipelinesGraph-caption" x={40} y={33}>
          <Caption {...props} room={room + 4} />
        </text>
      )}
      {isGroup && text && node.leaves > 0 && (
        <Turner node={node} x={width - 26} y={height / 2 - 8} icons={icons} />
      )}
    </>
  );
}

/** State and duration of a step, kind and progress of a group; ticks while a step runs. */
function Caption(
  props: INodeProps & { state: State; room: number }
): JSX.Element {
  const { node, status, state, trans, done } = props;
  if (node.kind === 'group') {
    const parts = [kindLabel(node, trans)];
    if (node.leaves > 0) {
      parts.push(`${done}/${node.leaves}`);
    }
    return <>{cut(parts.join(' · '), props.room, CAPTION_CHARACTER)}</>;
  }
  const words = [stateLabel(state, trans)];
  if (status && status.attempts.length > 1) {
    words.push(trans.__('try %1', status.attempts.length));
  }
  const isTicking = status?.started_at && !isFinal(state);
  const line = { words, status, room: props.room };
  return isTicking ? <TickingLine {...line} /> : <Line {...line} now={0} />;
}

interface ILineProps {
  words: string[];
  status: TaskStatus | undefined;
  room: number;
}

function TickingLine(props: ILineProps): JSX.Element {
  return <Line {...props} now={useNow(1000)} />;
}

function Line(props: ILineProps & { now: number }): JSX.Element {
  const { words, status, room, now } = props;
  const took = status && status.state !== 'CACHED' ? status : null;
  const duration = formatDuration(took && durationMs(took, now));
  const text = [...words, duration].filter(Boolean).join(' · ');
  return <>{cut(text, room, CAPTION_CHARACTER)}</>;
}

function ArtifactShape(props: INodeProps): JSX.Element {
  const { node, box, detail } = props;
  const { width, height } = box;
  return (
    <>
      <Ring width={width} height={height} radius={1} />
      <rect
        className="jp-PipelinesGraph-ground"
        width={width}
        height={height}
      />
      <rect className="jp-PipelinesGraph-shape" width={width} height={height} />
      <rect className="jp-PipelinesGraph-band" width={3} height={height} />
      {(detail === 'full' || detail === 'labels') && (
        <text
          className="jp-PipelinesGraph-artifactLabel"
          x={11}
          y={detail === 'full' ? 14 : height / 2 + 4}
        >
          {cut(node.label, width - 16, 6.2)}
        </text>
      )}
      {detail === 'full' && (
        <text className="jp-PipelinesGraph-caption" x={11} y={27}>
          {cut(node.caption, width - 16, CAPTION_CHARACTER)}
        </text>
      )}
    </>
  );
}

function ContainerShape(props: INodeProps & { state: State }): JSX.Element {
  const { node, box, detail, icons, state, trans, done } = props;
  const text = detail === 'full' || detail === 'labels';
  const words = `${kindLabel(node, trans)} · ${done}/${node.leaves}`;
  const label = cut(node.label, box.width - 66, 6.9);
  const after = 36 + label.length * 7.2 + 8;
  const room = box.width - after - 30;
  return (
    <>
      <Ring width={box.width} height={box.height} radius={8} />
      <rect
        className="jp-PipelinesGraph-container"
        width={box.width}
        height={box.height}
        rx={8}
      />
      <rect
        className="jp-PipelinesGraph-header"
        data-header={node.id}
        width={box.width}
        height={GROUP_HEADER - 6}
        rx={8}
      />
      {detail !== 'shapes' && (
        <StateMark icons={icons} state={state} x={18} y={12} />
      )}
      {text && (
        <>
          <text className="jp-PipelinesGraph-label" x={32} y={17}>
            {label}
          </text>
          {room > 60 && (
            <text className="jp-PipelinesGraph-caption" x={after} y={16.5}>
              {cut(words, room, CAPTION_CHARACTER)}
            </text>
          )}
          <Turner node={node} x={box.width - 24} y={4} icons={icons} />
        </>
      )}
    </>
  );
}

/** The state's icon with its middle at a point, about which it turns while running. */
function StateMark(props: {
  icons: string;
  state: State;
  x: number;
  y: number;
}): JSX.Element {
  return (
    <g
      className="jp-PipelinesGraph-mark"
      transform={`translate(${props.x} ${props.y})`}
    >
      <use
        className="jp-PipelinesGraph-icon"
        href={`#${props.icons}-${props.state}`}
        x={-9}
        y={-9}
        width={18}
        height={18}
      />
    </g>
  );
}

/** The ring around a selected or focused node; the style decides whether it shows. */
function Ring(props: {
  width: number;
  height: number;
  radius: number;
}): JSX.Element {
  return (
    <rect
      className="jp-PipelinesGraph-ring"
      x={-4}
      y={-4}
      width={props.width + 8}
      height={props.height + 8}
      rx={props.radius + 4}
    />
  );
}

/** The mark that opens or closes a group. */
function Turner(props: {
  node: IDrawNode;
  x: number;
  y: number;
  icons: string;
}): JSX.Element {
  const { node, x, y } = props;
  return (
    <g
      className="jp-PipelinesGraph-turner"
      data-toggle={node.id}
      transform={`translate(${x} ${y})`}
    >
      <rect x={-3} y={-3} width={22} height={22} rx={4} />
      <path d={node.expanded ? 'M3 8H13' : 'M3 8H13M8 3V13'} />
    </g>
  );
}
