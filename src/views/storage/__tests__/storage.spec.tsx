import { nullTranslator } from '@jupyterlab/translation';
import { render, screen } from '@testing-library/react';
import React from 'react';
import type { PipelinesClient } from '../../../api/client';
import type { Cleaned, Cleaning, Storage } from '../../../api/types';
import { StorageModel } from '../../../models/storage';
import { Parts } from '../parts';
import { previewText } from '../storageDialog';

const trans = nullTranslator.load('jupyterlab_pipelines');

const STORAGE: Storage = {
  path: '/home/jovyan/pipelines',
  total: 3_000_000_000,
  free: 9_000_000_000,
  runs: 2_000_000_000,
  run_count: 12,
  active_run_count: 1,
  environments: [
    {
      key: 'a',
      interpreter: '/opt/conda/bin/python',
      packages: ['pandas==2.2'],
      size: 900_000_000,
      built_at: '2026-05-01T10:00:00Z',
      used_at: '2026-05-01T10:00:00Z',
      active: false
    }
  ],
  snapshots: 60_000_000,
  other: 40_000_000
};

function cleaned(kinds: string[], freed: number): Cleaned {
  return {
    items: kinds.map((kind, index) => ({
      kind,
      id: `${index}`,
      name: '',
      size: 1,
      used_at: '2026-05-01T10:00:00Z'
    })),
    freed,
    total: 1,
    dry_run: true
  };
}

describe('disk use', () => {
  it('says what takes how much', () => {
    const { container } = render(<Parts storage={STORAGE} trans={trans} />);
    expect(container.textContent).toContain('3.0 GB in use');
    expect(container.textContent).toContain('9.0 GB free');
    expect(container.textContent).toContain('12 runs 2.0 GB');
    expect(container.textContent).toContain('1 environment 900 MB');
    expect(container.textContent).toContain('database 100 MB');
    expect(screen.getByText('/home/jovyan/pipelines')).toBeDefined();
  });

  it('says before it removes what would go', () => {
    expect(previewText(null, trans)).toContain('Looking');
    expect(previewText(cleaned([], 0), trans)).toContain('nothing');
    expect(
      previewText(cleaned(['run', 'run', 'environment'], 5_000_000), trans)
    ).toBe('Frees 5.0 MB: 2 runs, 1 environment.');
  });

  it('shows the preview of the last question only', async () => {
    const asked: Cleaning[] = [];
    const answers: ((value: Cleaned) => void)[] = [];
    const client = {
      clean: (_: string, cleaning: Cleaning) => {
        asked.push(cleaning);
        return new Promise<Cleaned>(resolve => answers.push(resolve));
      }
    } as unknown as PipelinesClient;
    const model = new StorageModel(client, 'local');
    void model.ask({ older_than_days: 30 });
    const last = model.ask({ keep_bytes: 0 });
    answers[0](cleaned(['run'], 1));
    await Promise.resolve();
    await new Promise(resolve => setTimeout(resolve));
    expect(model.preview).toBeNull();
    answers[1](cleaned(['run', 'run'], 2));
    await last;
    expect(model.preview?.freed).toBe(2);
    expect(asked.every(one => one.dry_run)).toBe(true);
    model.dispose();
  });
});
