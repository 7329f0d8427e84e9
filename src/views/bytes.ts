/** Bytes as short text. */

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

/** Two digits at least: `950 B`, `1.2 MB`, `34 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}
