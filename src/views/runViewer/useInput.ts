/** Clicks and keys on the graph: what they select, turn, zoom and walk to. */
import React from 'react';
import type { TileIndex } from '../../graph/cull';
import type { Walk } from '../../graph/walk';
import { keyAction } from './keys';
import type { IPicture, ViewerModel } from './model';
import type { IViewport } from './useViewport';
import { fit, withInView, zoomAt } from './viewport';

export interface IInput {
  /** The node that the keyboard stands on; null while the pointer leads. */
  cursor: string | null;
  handlers: Pick<
    React.DOMAttributes<HTMLElement>,
    'onClick' | 'onDoubleClick' | 'onKeyDown' | 'onBlur'
  >;
  /** Zooms by a factor about the middle. */
  zoom: (factor: number) => void;
  fitAll: () => void;
}

export function useInput(
  model: ViewerModel,
  picture: IPicture,
  viewport: IViewport,
  index: TileIndex,
  walk: Walk
): IInput {
  const [cursor, setCursor] = React.useState<string | null>(null);

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
    const target = event.target as Element;
    if (target.closest('[data-toggle]')) {
      return; // each of its two clicks has turned the group already
    }
    const { x, y } = viewport.toDrawing(event.clientX, event.clientY);
    const hit = index.at(x, y);
    const node = hit === null ? undefined : picture.nodes.get(hit);
    if (
      node?.kind === 'group' &&
      (!node.expanded || target.closest('[data-header]'))
    ) {
      model.toggle(node.id);
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

  const onBlur = () => setCursor(null);
  const handlers = { onClick, onDoubleClick, onKeyDown, onBlur };
  return { cursor, handlers, zoom, fitAll };
}
