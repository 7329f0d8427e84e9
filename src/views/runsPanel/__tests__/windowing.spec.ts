import { visibleRange } from '../windowing';

describe('visibleRange', () => {
  it('draws the rows in sight and some around them', () => {
    expect(visibleRange(5000, 500, 50, 1000)).toEqual({ start: 94, end: 116 });
  });

  it('stays inside the list', () => {
    expect(visibleRange(0, 500, 50, 4)).toEqual({ start: 0, end: 4 });
    expect(visibleRange(9000, 500, 50, 4)).toEqual({ start: 4, end: 4 });
  });

  it('draws no more of 100,000 rows than of 100', () => {
    const { start, end } = visibleRange(2_500_000, 800, 50, 100_000);
    expect(end - start).toBeLessThan(40);
  });
});
