/** Reads a notebook: its cells, those selected, and the language they are in. */
import type { ICellModel } from '@jupyterlab/cells';
import type { Notebook, NotebookPanel } from '@jupyterlab/notebook';
import type { CellSelection, NotebookCell } from '../../api/types';

/** A line that imports; what it names wrongly, the kernel simply does not know. */
const IMPORT =
  /^[ \t]*(?:import[ \t]+([^\n#;]+)|from[ \t]+([\w.]+)[ \t]+import\b)/gm;

/** The notebook's cells and the ids of the selected code cells, in the notebook's order. */
export function readSelection(panel: NotebookPanel): CellSelection {
  const notebook = panel.content;
  const cells = notebook.widgets.map(cell => toCell(cell.model));
  const selected = notebook.widgets
    .filter(
      cell =>
        notebook.isSelectedOrActive(cell) &&
        cell.model.type === 'code' &&
        cell.model.sharedModel.getSource().trim() !== ''
    )
    .map(cell => cell.model.id);
  return { notebook: panel.context.path, cells, selected };
}

function toCell(model: ICellModel): NotebookCell {
  const tags = model.getMetadata('tags');
  return {
    id: model.id,
    cell_type:
      model.type === 'code' || model.type === 'markdown' ? model.type : 'raw',
    source: model.sharedModel.getSource(),
    tags: Array.isArray(tags) ? tags.map(String) : []
  };
}

/** Top-level names of the modules that the notebook's cells import, in order. */
export function importedModules(cells: readonly NotebookCell[]): string[] {
  const found = new Set<string>();
  for (const { cell_type, source } of cells) {
    if (cell_type !== 'code') {
      continue;
    }
    for (const [, plain, from] of source.matchAll(IMPORT)) {
      const names = from ? [from] : plain.split(',').map(one => one.trim());
      names.forEach(name => found.add(name.split(/[.\s]/)[0]));
    }
  }
  return [...found].filter(name => /^[\p{L}_]/u.test(name));
}

/** The language of the notebook's code, e.g. `python`; empty where nothing says it. */
export async function languageOf(panel: NotebookPanel): Promise<string> {
  const info = await panel.sessionContext.session?.kernel?.info.catch(
    () => null
  );
  return (
    info?.language_info.name ??
    panel.content.model?.defaultKernelLanguage ??
    ''
  ).toLowerCase();
}

/** Where a cell stands in the notebook, counted from 1; 0 where it is gone. */
export function cellNumber(selection: CellSelection, id: string): number {
  return selection.cells.findIndex(cell => cell.id === id) + 1;
}

/** Brings a cell into sight, with the cursor on the line (1-based) where one is given. */
export function focusCell(
  notebook: Notebook,
  id: string,
  line: number | null
): void {
  const index = notebook.widgets.findIndex(cell => cell.model.id === id);
  if (index < 0) {
    return;
  }
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  void notebook.scrollToItem(index, 'smart').then(() => {
    notebook.mode = 'edit';
    notebook.activeCell?.editor?.setCursorPosition({
      line: (line ?? 1) - 1,
      column: 0
    });
  });
}
