/** The SVG path of a placed edge. */
import type { IPlacedEdge } from './model';
import { STACK_INDENT } from './stack';

export function edgePath(edge: IPlacedEdge): string {
  return edge.shape === 'elbow' ? elbow(edge.points) : curve(edge.points);
}

/** The same edge as straight lines, for when it is too small to see a bend. */
export function edgeLine(edge: IPlacedEdge): string {
  const { points } = edge;
  let text = `M${round(points[0])} ${round(points[1])}`;
  for (let i = 2; i < points.length; i += 2) {
    text += `L${round(points[i])} ${round(points[i + 1])}`;
  }
  return text;
}

function curve(points: number[]): string {
  let text = `M${round(points[0])} ${round(points[1])}`;
  for (let i = 2; i < points.length; i += 2) {
    const [x0, y0, x, y] = points.slice(i - 2, i + 2);
    const lean = Math.max(12, Math.abs(y - y0) / 2);
    text +=
      Math.abs(x - x0) < 0.5
        ? `L${round(x)} ${round(y)}`
        : `C${round(x0)} ${round(y0 + lean)} ${round(x)} ${round(y - lean)} ${round(x)} ${round(y)}`;
  }
  return text;
}

/** Down to the trunk beside the stack, along it, and a short branch to the artifact. */
function elbow([x0, y0, x, y]: number[]): string {
  const trunk = x - STACK_INDENT + 4;
  const start = y0 + 26;
  const lean = 16;
  return (
    `M${round(x0)} ${round(y0)}` +
    `C${round(x0)} ${round(y0 + lean)} ${round(trunk)} ${round(start - lean)} ${round(trunk)} ${round(start)}` +
    `L${round(trunk)} ${round(y - 5)}Q${round(trunk)} ${round(y)} ${round(trunk + 5)} ${round(y)}L${round(x)} ${round(y)}`
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
