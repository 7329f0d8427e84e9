import { formatAge, formatDuration, formatMoment } from '../time';

const NOW = Date.parse('2026-05-10T12:00:00Z');

describe('formatDuration', () => {
  it.each([
    [null, ''],
    [0, '0s'],
    [999, '0s'],
    [59_999, '59s'],
    [64_000, '1m 04s'],
    [3_599_999, '59m 59s'],
    [4_320_000, '1h 12m'],
    [183_600_000, '2d 3h']
  ])('writes %p ms as %p', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('formatAge', () => {
  it.each([
    ['2026-05-10T11:59:30Z', 'now'],
    ['2026-05-10T12:00:05Z', 'now'],
    ['2026-05-10T11:55:00Z', '5 min'],
    ['2026-05-10T09:00:00Z', '3 h'],
    ['2026-05-08T12:00:00Z', '2 d']
  ])('writes %p as %p', (moment, text) => {
    expect(formatAge(moment, NOW)).toBe(text);
  });

  it('writes the date of what is older than a month', () => {
    expect(formatAge('2026-01-02T12:00:00Z', NOW)).toMatch(/2026/);
  });
});

describe('formatMoment', () => {
  it('is empty where nothing happened yet', () => {
    expect(formatMoment(null)).toBe('');
  });
});
