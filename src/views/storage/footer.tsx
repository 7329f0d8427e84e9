/** The panel's last line: what the runs of this machine take on disk. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React, { useEffect, useState } from 'react';
import type { PipelinesClient } from '../../api/client';
import { StorageModel } from '../../models/storage';
import { formatBytes } from '../bytes';
import { useSignals } from '../useSignal';

/** Counting files is work for the disk, and the sum moves slowly. */
const INTERVAL_MS = 5 * 60_000;

export function DiskFooter(props: {
  client: PipelinesClient;
  connection: string;
  trans: TranslationBundle;
  /** Opens the dialog; settles when it is closed. */
  onOpen: () => Promise<unknown>;
}): JSX.Element {
  const { client, connection, trans, onOpen } = props;
  const [model] = useState(() => new StorageModel(client, connection));
  useSignals(model.changed);
  useEffect(() => {
    void model.refresh();
    const timer = setInterval(() => void model.refresh(), INTERVAL_MS);
    return () => clearInterval(timer);
  }, [model]);
  const { storage } = model;
  return (
    <div className="jp-PipelinesRuns-foot">
      <button
        type="button"
        className="jp-Pipelines-link"
        title={trans.__('Show what takes how much, and free it')}
        onClick={() => void onOpen().then(() => model.refresh())}
      >
        {storage
          ? trans.__(
              'Disk: %1 used, %2 free',
              formatBytes(storage.total),
              formatBytes(storage.free)
            )
          : trans.__('Disk use…')}
      </button>
    </div>
  );
}
