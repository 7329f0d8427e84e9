/** Pan and zoom: where the drawing lies in its frame. Pure; lengths are CSS pixels. */
import type { IBox } from '../../graph/model';

/** A point p of the drawing appears at p × k + (x, y) in the frame. */
export interface ITransform {
  x: number;
  y: number;
  k: number;
}

export interface ISize {
  width: number;
  height: number;
}

export const MIN_SCALE = 0.02;
export const MAX_SCALE = 2.5;

/** The smallest scale at which a graph opens: its smallest text is then about 8 px. */
export const READABLE_SCALE = 0.75;

const MARGIN = 32;

/** The whole drawing, centred, and not enlarged. */
export function fit(drawing: ISize, frame: ISize): ITransform {
  const k = clampScale(
    Math.min(
      1,
      (frame.width - 2 * MARGIN) / Math.max(1, drawing.width),
      (frame.height - 2 * MARGIN) / Math.max(1, drawing.height)
    )
  );
  return {
    k,
    x: (frame.width - drawing.width * k) / 2,
    y: Math.max(MARGIN, (frame.height - drawing.height * k) / 2)
  };
}

/**
 * The view a graph opens with: all of it where that is readable, else at the smallest
 * readable scale with `focus` in the middle, or without one the `first` node at the top.
 */
export function opening(
  drawing: ISize,
  frame: ISize,
  focus: IBox | null,
  first: IBox | null
): ITransform {
  const whole = fit(drawing, frame);
  if (whole.k >= READABLE_SCALE) {
    return whole;
  }
  const k = READABLE_SCALE;
  if (focus) {
    return filled(centred(focus, frame, k), drawing, frame);
  }
  const view = first && {
    ...centred(first, frame, k),
    y: MARGIN - first.y * k
  };
  return filled(view ?? { k, x: 0, y: MARGIN }, drawing, frame);
}

/** The view moved so that no room is left empty beside a drawing that has more to show. */
function filled(view: ITransform, drawing: ISize, frame: ISize): ITransform {
  const bound = (at: number, length: number, room: number) => {
    const low = room - MARGIN - length * view.k;
    return low > MARGIN ? (low + MARGIN) / 2 : clamp(at, low, MARGIN);
  };
  return {
    k: view.k,
    x: bound(view.x, drawing.width, frame.width),
    y: bound(view.y, drawing.height, frame.height)
  };
}

export function centred(box: IBox, frame: ISize, k: number): ITransform {
  return {
    k,
    x: frame.width / 2 - (box.x + box.width / 2) * k,
    y: frame.height / 2 - (box.y + box.height / 2) * k
  };
}

/** Zooms by a factor; the frame's point (x, y) stays where it is. */
export function zoomAt(
  view: ITransform,
  factor: number,
  x: number,
  y: number
): ITransform {
  const k = clampScale(view.k * factor);
  const ratio = k / view.k;
  return { k, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

/** The least move that brings a box into the frame. */
export function withInView(
  view: ITransform,
  box: IBox,
  frame: ISize
): ITransform {
  const shift = (low: number, high: number, length: number) => {
    if (high - low > length - 2 * MARGIN || low < MARGIN) {
      return MARGIN - low;
    }
    return Math.min(0, length - MARGIN - high);
  };
  const left = box.x * view.k + view.x;
  const top = box.y * view.k + view.y;
  const dx = shift(left, left + box.width * view.k, frame.width);
  const dy = shift(top, top + box.height * view.k, frame.height);
  return { k: view.k, x: view.x + dx, y: view.y + dy };
}

/** The part of the drawing that the frame shows. */
export function shown(view: ITransform, frame: ISize): IBox {
  return {
    x: -view.x / view.k,
    y: -view.y / view.k,
    width: frame.width / view.k,
    height: frame.height / view.k
  };
}

function clampScale(k: number): number {
  return clamp(k, MIN_SCALE, MAX_SCALE);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
