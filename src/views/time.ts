/** Durations and ages as short text: two units at most, stable in width while they tick. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Milliseconds as `8s`, `3m 04s`, `1h 12m` or `2d 3h`; null as an empty text. */
export function formatDuration(ms: number | null): string {
  if (ms === null) {
    return '';
  }
  if (ms < MINUTE) {
    return `${Math.floor(ms / SECOND)}s`;
  }
  if (ms < HOUR) {
    const seconds = Math.floor((ms % MINUTE) / SECOND);
    return `${Math.floor(ms / MINUTE)}m ${String(seconds).padStart(2, '0')}s`;
  }
  if (ms < DAY) {
    const minutes = Math.floor((ms % HOUR) / MINUTE);
    return `${Math.floor(ms / HOUR)}h ${String(minutes).padStart(2, '0')}m`;
  }
  return `${Math.floor(ms / DAY)}d ${Math.floor((ms % DAY) / HOUR)}h`;
}

/** How long ago a moment (ISO 8601) was: `now`, `5 min`, `3 h`, `2 d`, then the date. */
export function formatAge(moment: string, now: number): string {
  const age = now - Date.parse(moment);
  if (age < MINUTE) {
    return 'now';
  }
  if (age < HOUR) {
    return `${Math.floor(age / MINUTE)} min`;
  }
  if (age < DAY) {
    return `${Math.floor(age / HOUR)} h`;
  }
  if (age < 30 * DAY) {
    return `${Math.floor(age / DAY)} d`;
  }
  return new Date(moment).toLocaleDateString();
}

/** A moment (ISO 8601) in full, in the user's zone and language. */
export function formatMoment(moment: string | null): string {
  return moment ? new Date(moment).toLocaleString() : '';
}
