/** Which rows of a list are selected after a click or a key; pure. */

/** `anchor` is where a range begins, `active` the row that has the keyboard. */
export interface ISelection {
  readonly ids: ReadonlySet<string>;
  readonly anchor: string | null;
  readonly active: string | null;
}

export const NOTHING: ISelection = {
  ids: new Set(),
  anchor: null,
  active: null
};

/** `one` replaces the selection, `toggle` adds or removes, `range` reaches from the anchor. */
export type SelectMode = 'one' | 'toggle' | 'range';

/** The selection after `id` was chosen in a list ordered as `order`. */
export function select(
  selection: ISelection,
  order: readonly string[],
  id: string,
  mode: SelectMode
): ISelection {
  if (mode === 'toggle') {
    const ids = new Set(selection.ids);
    if (!ids.delete(id)) {
      ids.add(id);
    }
    return { ids, anchor: id, active: id };
  }
  const from = selection.anchor === null ? -1 : order.indexOf(selection.anchor);
  const to = order.indexOf(id);
  if (mode === 'range' && from >= 0 && to >= 0) {
    const ids = order.slice(Math.min(from, to), Math.max(from, to) + 1);
    return { ids: new Set(ids), anchor: selection.anchor, active: id };
  }
  return { ids: new Set([id]), anchor: id, active: id };
}

/** The selection without what is no longer in the list; the same object where all is. */
export function prune(
  selection: ISelection,
  order: readonly string[]
): ISelection {
  const there = new Set(order);
  const keep = (id: string | null) => (id && there.has(id) ? id : null);
  const ids = [...selection.ids].filter(id => there.has(id));
  if (
    ids.length === selection.ids.size &&
    keep(selection.active) === selection.active
  ) {
    return selection;
  }
  return {
    ids: new Set(ids),
    anchor: keep(selection.anchor),
    active: keep(selection.active)
  };
}

/** The row that a navigation key leads to, or null where the key is not one. */
export function neighbour(
  order: readonly string[],
  active: string | null,
  key: string,
  page: number
): string | null {
  const last = order.length - 1;
  if (last < 0) {
    return null;
  }
  const at = active === null ? -1 : order.indexOf(active);
  const steps: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: last
  };
  const to = steps[key];
  return to === undefined ? null : order[Math.min(last, Math.max(0, to))];
}
