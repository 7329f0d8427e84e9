/** The bar between graph and panel: drag it, or move it by the arrow keys. */
import React from 'react';

export interface ISplitterProps {
  /** The panel's width in pixels. */
  width: number;
  onResize: (width: number) => void;
  label: string;
}

const MIN_PANEL = 260;
/** The graph keeps at least this share of the frame. */
const MIN_GRAPH_SHARE = 0.25;
const KEY_STEP = 24;

export function Splitter(props: ISplitterProps): JSX.Element {
  const { width, onResize, label } = props;
  const resize = (element: HTMLElement, wanted: number) => {
    const whole = element.parentElement?.clientWidth ?? wanted;
    const most = Math.max(MIN_PANEL, whole * (1 - MIN_GRAPH_SHARE));
    onResize(Math.round(Math.min(most, Math.max(MIN_PANEL, wanted))));
  };
  const onPointerDown = (event: React.PointerEvent<HTMLDivElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    event.preventDefault();
  };
  const onPointerMove = (event: React.PointerEvent<HTMLDivElement>) => {
    const element = event.currentTarget;
    if (element.hasPointerCapture(event.pointerId)) {
      const bounds = element.parentElement!.getBoundingClientRect();
      resize(element, bounds.right - event.clientX);
    }
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLDivElement>) => {
    const steps: Record<string, number> = {
      ArrowLeft: KEY_STEP,
      ArrowRight: -KEY_STEP
    };
    if (steps[event.key]) {
      resize(event.currentTarget, width + steps[event.key]);
      event.preventDefault();
    }
  };
  return (
    <div
      className="jp-PipelinesViewer-splitter"
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuenow={width}
      aria-valuemin={MIN_PANEL}
      tabIndex={0}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onKeyDown={onKeyDown}
    />
  );
}
