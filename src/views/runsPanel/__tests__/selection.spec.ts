import { neighbour, NOTHING, prune, select } from '../selection';

const ORDER = ['a', 'b', 'c', 'd'];

function ids(selection: { ids: ReadonlySet<string> }): string[] {
  return [...selection.ids].sort();
}

describe('select', () => {
  it('replaces the selection', () => {
    const first = select(NOTHING, ORDER, 'a', 'one');
    expect(ids(select(first, ORDER, 'c', 'one'))).toEqual(['c']);
  });

  it('adds and removes one', () => {
    const two = select(
      select(NOTHING, ORDER, 'a', 'one'),
      ORDER,
      'c',
      'toggle'
    );
    expect(ids(two)).toEqual(['a', 'c']);
    expect(ids(select(two, ORDER, 'a', 'toggle'))).toEqual(['c']);
  });

  it('reaches from the anchor in both directions', () => {
    const anchor = select(NOTHING, ORDER, 'c', 'one');
    const down = select(anchor, ORDER, 'd', 'range');
    expect(ids(down)).toEqual(['c', 'd']);
    expect(ids(select(down, ORDER, 'a', 'range'))).toEqual(['a', 'b', 'c']);
  });

  it('begins anew where the anchor is gone', () => {
    const gone = { ids: new Set<string>(), anchor: 'x', active: null };
    expect(ids(select(gone, ORDER, 'b', 'range'))).toEqual(['b']);
  });
});

describe('prune', () => {
  it('forgets what left the list', () => {
    const both = select(
      select(NOTHING, ORDER, 'a', 'one'),
      ORDER,
      'b',
      'toggle'
    );
    const left = prune(both, ['a']);
    expect(ids(left)).toEqual(['a']);
    expect(left.active).toBeNull();
  });

  it('is the same object where nothing left', () => {
    const one = select(NOTHING, ORDER, 'a', 'one');
    expect(prune(one, ['z', ...ORDER])).toBe(one);
  });
});

describe('neighbour', () => {
  it.each([
    ['b', 'ArrowDown', 'c'],
    ['a', 'ArrowUp', 'a'],
    ['d', 'ArrowDown', 'd'],
    ['a', 'PageDown', 'c'],
    ['b', 'End', 'd'],
    ['c', 'Home', 'a'],
    [null, 'ArrowDown', 'a'],
    ['b', 'x', null]
  ])('from %p by %s to %p', (active, key, to) => {
    expect(neighbour(ORDER, active, key, 2)).toBe(to);
  });

  it('leads nowhere in an empty list', () => {
    expect(neighbour([], null, 'ArrowDown', 2)).toBeNull();
  });
});
