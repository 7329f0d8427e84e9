/** How large a node is drawn, from its label; text is estimated, since layout has no page. */

export const STEP_HEIGHT = 42;
export const ARTIFACT_HEIGHT = 34;
/** Height of an expanded group's own line, and the room around what it holds. */
export const GROUP_HEADER = 30;
export const GROUP_PADDING = 14;

/** Mean width of a character of 13 px interface text. */
const CHARACTER = 6.9;
const SMALL_CHARACTER = 6.2;

/** Holds a state and a duration below the name. */
const MIN_STEP = 176;

export interface ISize {
  width: number;
  height: number;
}

export function stepSize(label: string): ISize {
  return {
    width: clamp(56 + label.length * CHARACTER, MIN_STEP, 236),
    height: STEP_HEIGHT
  };
}

/** Of a collapsed group; an expanded one is as large as what it holds. */
export function groupSize(label: string): ISize {
  return {
    width: clamp(78 + label.length * CHARACTER, MIN_STEP, 260),
    height: STEP_HEIGHT
  };
}

export function artifactSize(label: string, caption: string): ISize {
  const longest = Math.max(label.length, caption.length);
  return {
    width: clamp(20 + longest * SMALL_CHARACTER, 84, 190),
    height: ARTIFACT_HEIGHT
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.round(Math.min(high, Math.max(low, value)));
}
