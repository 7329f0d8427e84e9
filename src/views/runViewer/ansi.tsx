/** A log line with its terminal colours, and with what was searched for marked. */
import React from 'react';

interface ISpan {
  text: string;
  className: string;
}

const ESCAPE = String.fromCharCode(0x1b);
const COLOUR = new RegExp(`${ESCAPE}\\[([0-9;]*)m`, 'g');
const NAMES = 'black red green yellow blue magenta cyan white'.split(' ');

/** The text without its colour codes. */
export function plainText(line: string): string {
  return line.includes(ESCAPE) ? line.replace(COLOUR, '') : line;
}

/** Splits a line where its colour changes; the classes are rendermime's own. */
export function colourSpans(line: string): ISpan[] {
  if (!line.includes(ESCAPE)) {
    return [{ text: line, className: '' }];
  }
  const spans: ISpan[] = [];
  let style = { front: '', back: '', bold: false };
  let from = 0;
  const push = (to: number) => {
    if (to > from) {
      const classes = [
        style.front && `ansi-${style.front}-fg`,
        style.back && `ansi-${style.back}-bg`,
        style.bold && 'ansi-bold'
      ];
      const className = classes.filter(Boolean).join(' ');
      spans.push({ text: line.slice(from, to), className });
    }
  };
  for (const match of line.matchAll(COLOUR)) {
    push(match.index!);
    from = match.index! + match[0].length;
    for (const code of match[1].split(';').map(Number)) {
      style = turned(style, code);
    }
  }
  push(line.length);
  return spans;
}

function turned<T extends { front: string; back: string; bold: boolean }>(
  style: T,
  code: number
): T {
  if (code === 0) {
    return { ...style, front: '', back: '', bold: false };
  }
  if (code === 1 || code === 22) {
    return { ...style, bold: code === 1 };
  }
  if (code >= 30 && code <= 37) {
    return { ...style, front: NAMES[code - 30] };
  }
  if (code >= 90 && code <= 97) {
    return { ...style, front: `${NAMES[code - 90]}-intense` };
  }
  if (code >= 40 && code <= 47) {
    return { ...style, back: NAMES[code - 40] };
  }
  if (code === 39) {
    return { ...style, front: '' };
  }
  return code === 49 ? { ...style, back: '' } : style;
}

export const LogLine = React.memo(
  (props: { line: string; query: string }): JSX.Element => {
    const { line, query } = props;
    return (
      <>
        {colourSpans(line).map((span, i) => (
          <span key={i} className={span.className || undefined}>
            {query ? <Marked text={span.text} query={query} /> : span.text}
          </span>
        ))}
      </>
    );
  }
);

function Marked(props: { text: string; query: string }): JSX.Element {
  const parts: React.ReactNode[] = [];
  const low = props.text.toLowerCase();
  const query = props.query.toLowerCase();
  let from = 0;
  let at = low.indexOf(query);
  while (at >= 0) {
    parts.push(props.text.slice(from, at));
    from = at + query.length;
    parts.push(<mark key={at}>{props.text.slice(at, from)}</mark>);
    at = low.indexOf(query, from);
  }
  parts.push(props.text.slice(from));
  return <>{parts}</>;
}
