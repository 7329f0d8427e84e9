/** Where the view stands: fitted at first, kept at every later picture, moved to what is revealed. */
import React from 'react';
import type { IBox } from '../../graph/model';
import type { Walk } from '../../graph/walk';
import type { IPicture, ViewerModel } from './model';
import type { IViewport } from './useViewport';
import {
  MAX_SCALE,
  opening,
  READABLE_SCALE,
  withInView,
  type ITransform
} from './viewport';

/** Fits the first picture, keeps the view at every later one, and follows `revealed`. */
export function usePlacement(
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
        const k = Math.min(MAX_SCALE, Math.max(view.k, READABLE_SCALE));
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
function focusOf(model: ViewerModel, picture: IPicture): IBox | null {
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
