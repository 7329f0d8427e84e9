/** Pointer, wheel and pinch on the graph's frame, kept out of React until the tiles change. */
import React from 'react';
import { textAt, tilesOf, type ITileRange } from '../../graph/cull';
import { shown, zoomAt, type ISize, type ITransform } from './viewport';

export interface IView {
  /** What text the scale carries. */
  text: ReturnType<typeof textAt>;
  /** The tiles in view: what has to be drawn. */
  tiles: ITileRange;
}

export interface IViewport {
  /** The element that frames the graph. */
  frameRef: React.RefObject<HTMLDivElement>;
  /** The group that is moved. */
  groupRef: React.RefObject<SVGGElement>;
  view: IView;
  /** Null until the frame has a size. */
  frame: ISize | null;
  /** The present transform. */
  get(): ITransform;
  /** Moves the view. `byUser` ends the automatic fit. */
  set(next: ITransform, byUser: boolean): void;
  /** Whether the user moved the view since it was last fitted. */
  movedByUser(): boolean;
  /** A point of the page as a point of the drawing. */
  toDrawing(clientX: number, clientY: number): { x: number; y: number };
  /** Whether the pointer's present press became a drag. */
  wasDrag(): boolean;
}

/** How far a pointer may tremble in a click. */
const CLICK_PX = 4;

export function useViewport(): IViewport {
  const frameRef = React.useRef<HTMLDivElement>(null);
  const groupRef = React.useRef<SVGGElement>(null);
  const now = React.useRef<ITransform>({ x: 0, y: 0, k: 1 });
  const moved = React.useRef(false);
  const dragged = React.useRef(false);
  const frameSize = React.useRef<ISize | null>(null);
  const [frame, setFrame] = React.useState<ISize | null>(null);
  const [view, setView] = React.useState<IView>({
    text: 'full',
    tiles: { left: 0, top: 0, right: 0, bottom: 0 }
  });

  const apply = React.useCallback(() => {
    const { x, y, k } = now.current;
    groupRef.current?.setAttribute(
      'transform',
      `translate(${x} ${y}) scale(${k})`
    );
    if (frameSize.current) {
      const tiles = tilesOf(shown(now.current, frameSize.current));
      const next = { text: textAt(k), tiles };
      setView(old => (sameView(old, next) ? old : next));
    }
  }, []);

  const set = React.useCallback(
    (next: ITransform, byUser: boolean) => {
      now.current = next;
      moved.current = byUser;
      apply();
    },
    [apply]
  );

  React.useEffect(() => {
    const element = frameRef.current;
    if (!element) {
      return;
    }
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width && height) {
        frameSize.current = { width, height };
        setFrame(old =>
          old?.width === width && old.height === height
            ? old
            : { width, height }
        );
        apply();
      }
    });
    observer.observe(element);
    const stop = listen(element, now, dragged, set);
    return () => {
      observer.disconnect();
      stop();
    };
  }, [apply, set]);

  return React.useMemo(
    () => ({
      frameRef,
      groupRef,
      view,
      frame,
      get: () => now.current,
      set,
      movedByUser: () => moved.current,
      toDrawing: (clientX: number, clientY: number) => {
        const bounds = frameRef.current!.getBoundingClientRect();
        const { x, y, k } = now.current;
        return {
          x: (clientX - bounds.left - x) / k,
          y: (clientY - bounds.top - y) / k
        };
      },
      wasDrag: () => dragged.current
    }),
    [view, frame, set]
  );
}

function sameView(a: IView, b: IView): boolean {
  return (
    a.text === b.text &&
    a.tiles.left === b.tiles.left &&
    a.tiles.top === b.tiles.top &&
    a.tiles.right === b.tiles.right &&
    a.tiles.bottom === b.tiles.bottom
  );
}

type Setter = (next: ITransform, byUser: boolean) => void;

/** Attaches the gestures; returns what detaches them. */
function listen(
  element: HTMLElement,
  now: React.MutableRefObject<ITransform>,
  dragged: React.MutableRefObject<boolean>,
  set: Setter
): () => void {
  const pointers = new Map<number, { x: number; y: number }>();
  let pressed = { x: 0, y: 0 };

  const onDown = (event: PointerEvent) => {
    if (event.button !== 0 && event.button !== 1) {
      return;
    }
    dragged.current = false;
    pressed = { x: event.clientX, y: event.clientY };
    pointers.set(event.pointerId, { ...pressed });
  };
  const onMove = (event: PointerEvent) => {
    const last = pointers.get(event.pointerId);
    if (!last) {
      return;
    }
    const far =
      Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) >
      CLICK_PX;
    if (!dragged.current && !far) {
      return;
    }
    if (!dragged.current) {
      dragged.current = true;
      // Only a drag takes the pointer: a click must reach the node below it.
      element.setPointerCapture(event.pointerId);
      element.classList.add('jp-mod-dragging');
    }
    const others = [...pointers].filter(([id]) => id !== event.pointerId);
    const next = { x: event.clientX, y: event.clientY };
    const view = now.current;
    if (others.length) {
      set(pinch(view, element, last, next, others[0][1]), true);
    } else {
      const x = view.x + next.x - last.x;
      set({ ...view, x, y: view.y + next.y - last.y }, true);
    }
    pointers.set(event.pointerId, next);
  };
  const onUp = (event: PointerEvent) => {
    pointers.delete(event.pointerId);
    element.classList.remove('jp-mod-dragging');
  };
  const onWheel = (event: WheelEvent) => {
    event.preventDefault();
    const bounds = element.getBoundingClientRect();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    if (event.shiftKey) {
      const across = (event.deltaX || event.deltaY) * unit;
      set({ ...now.current, x: now.current.x - across }, true);
      return;
    }
    // A pinch on a touchpad arrives as a wheel with ctrlKey and small steps.
    const speed = event.ctrlKey ? 0.01 : 0.0016;
    const factor = Math.exp(-event.deltaY * unit * speed);
    const x = event.clientX - bounds.left;
    set(zoomAt(now.current, factor, x, event.clientY - bounds.top), true);
  };

  element.addEventListener('pointerdown', onDown);
  element.addEventListener('pointermove', onMove);
  element.addEventListener('pointerup', onUp);
  element.addEventListener('pointercancel', onUp);
  element.addEventListener('wheel', onWheel, { passive: false });
  return () => {
    element.removeEventListener('pointerdown', onDown);
    element.removeEventListener('pointermove', onMove);
    element.removeEventListener('pointerup', onUp);
    element.removeEventListener('pointercancel', onUp);
    element.removeEventListener('wheel', onWheel);
  };
}

interface IPoint {
  x: number;
  y: number;
}

/** Two fingers: the distance between them scales, their middle moves. */
function pinch(
  view: ITransform,
  element: HTMLElement,
  last: IPoint,
  next: IPoint,
  other: IPoint
): ITransform {
  const bounds = element.getBoundingClientRect();
  const length = (p: IPoint) => Math.hypot(p.x - other.x, p.y - other.y);
  const zoomed = zoomAt(
    view,
    length(next) / Math.max(1, length(last)),
    (next.x + other.x) / 2 - bounds.left,
    (next.y + other.y) / 2 - bounds.top
  );
  return {
    k: zoomed.k,
    x: zoomed.x + (next.x - last.x) / 2,
    y: zoomed.y + (next.y - last.y) / 2
  };
}
