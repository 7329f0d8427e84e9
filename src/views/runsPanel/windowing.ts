/** Which rows of a long list are in sight; pure. */

/** Rows drawn above and below what is in sight, so that a scroll finds them ready. */
const OVERSCAN = 6;

export interface IRange {
  /** First row drawn. */
  readonly start: number;
  /** One past the last row drawn. */
  readonly end: number;
}

/** The rows to draw; all measures in pixels. */
export function visibleRange(
  scrollTop: number,
  height: number,
  rowHeight: number,
  count: number
): IRange {
  const first = Math.floor(scrollTop / rowHeight) - OVERSCAN;
  const last = Math.ceil((scrollTop + height) / rowHeight) + OVERSCAN;
  const start = Math.min(Math.max(0, first), count);
  return { start, end: Math.max(start, Math.min(count, last)) };
}
