import type { NotebookCell } from '../../../api/types';
import { importedModules } from '../cells';
import { parseProbe } from '../kernelProbe';

function code(...sources: string[]): NotebookCell[] {
  return sources.map((source, i) => ({
    id: `c${i}`,
    cell_type: 'code',
    source
  }));
}

describe('importedModules', () => {
  it('finds every way to import', () => {
    expect(
      importedModules(
        code(
          'import numpy as np, pandas\nfrom sklearn.svm import SVC',
          'def f():\n    import torch.nn as nn  # late\n    from . import here'
        )
      )
    ).toEqual(['numpy', 'pandas', 'sklearn', 'torch']);
  });

  it('reads no prose', () => {
    expect(
      importedModules([
        { id: 'm', cell_type: 'markdown', source: 'import this page' },
        ...code('x = "from a import b"')
      ])
    ).toEqual([]);
  });
});

describe('parseProbe', () => {
  it('finds the answer among what the kernel prints besides', () => {
    const answer = {
      variables: [],
      executable: '/opt/python',
      distributions: { numpy: 'numpy==2.0' },
      cwd: '/home/me'
    };
    expect(
      parseProbe(
        `a warning\n<pipelines-probe>${JSON.stringify(answer)}</pipelines-probe>\n`
      )
    ).toEqual({
      variables: [],
      interpreter: '/opt/python',
      distributions: { numpy: 'numpy==2.0' },
      workingDirectory: '/home/me'
    });
  });

  it('refuses what is no answer', () => {
    expect(() => parseProbe('')).toThrow('could not be read');
  });
});
