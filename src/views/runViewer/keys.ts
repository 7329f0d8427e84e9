/** What a key does on the graph. */
import type { Direction } from '../../graph/walk';

export type KeyAction =
  | { kind: 'step'; to: Direction }
  | { kind: 'zoom'; factor: number }
  | { kind: 'select' | 'toggle' | 'clear' | 'fit' };

export const ZOOM_STEP = 1.25;

const ACTIONS: Record<string, KeyAction> = {
  ArrowUp: { kind: 'step', to: 'up' },
  ArrowDown: { kind: 'step', to: 'down' },
  ArrowLeft: { kind: 'step', to: 'left' },
  ArrowRight: { kind: 'step', to: 'right' },
  Enter: { kind: 'select' },
  ' ': { kind: 'toggle' },
  Escape: { kind: 'clear' },
  f: { kind: 'fit' },
  F: { kind: 'fit' },
  '+': { kind: 'zoom', factor: ZOOM_STEP },
  '=': { kind: 'zoom', factor: ZOOM_STEP },
  '-': { kind: 'zoom', factor: 1 / ZOOM_STEP }
};

/** Null where the key is not the graph's; combinations belong to JupyterLab. */
export function keyAction(event: {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}): KeyAction | null {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return null;
  }
  return ACTIONS[event.key] ?? null;
}
