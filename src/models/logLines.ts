/** A log's text as lines, bounded in memory: what is far from the end is let go first. */

/** Characters kept at most; about what a reader can search without waiting. */
const MAX_CHARACTERS = 16_000_000;

/** A longer line is cut: one line of megabytes would freeze any view. */
const MAX_LINE = 4_000;

const ESCAPE = String.fromCharCode(0x1b);
const BELL = String.fromCharCode(0x07);

/** Matches the escape sequences of terminals, except colours, which the view understands. */
const CONTROL = new RegExp(
  `${ESCAPE}(?:\\[[0-9;?]*[A-Za-ln-z]|\\][^${BELL}]*(?:${BELL}|${ESCAPE}\\\\)|[()][A-Z0-9])`,
  'g'
);

export class LogLines {
  /** Complete lines and the unfinished last one. */
  get lines(): readonly string[] {
    return this._lines;
  }

  /** Lines let go at the beginning since the last `clear`. */
  get dropped(): number {
    return this._dropped;
  }

  clear(): void {
    this._lines = [];
    this._open = '';
    this._characters = 0;
    this._dropped = 0;
  }

  append(text: string): void {
    const parts = (this._open + text).split('\n');
    if (this._lines.length) {
      this._characters -= this._lines.pop()!.length;
    }
    // An unfinished line stays raw: its carriage return may be followed by more.
    this._open = parts[parts.length - 1].slice(-4 * MAX_LINE);
    for (const part of parts) {
      const line = visible(part);
      this._lines.push(line);
      this._characters += line.length;
    }
    this._trim();
  }

  private _trim(): void {
    let gone = 0;
    while (this._characters > MAX_CHARACTERS && gone < this._lines.length - 1) {
      this._characters -= this._lines[gone].length;
      gone += 1;
    }
    if (gone) {
      this._lines = this._lines.slice(gone);
      this._dropped += gone;
    }
  }

  private _lines: string[] = [];
  private _open = '';
  private _characters = 0;
  private _dropped = 0;
}

/** What a terminal would show of a line: progress bars overwrite themselves by `\r`. */
function visible(raw: string): string {
  const text = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
  const shown = text.slice(text.lastIndexOf('\r') + 1).replace(CONTROL, '');
  return shown.length > MAX_LINE
    ? `${shown.slice(0, MAX_LINE)}… (line cut; download the log to see all of it)`
    : shown;
}
