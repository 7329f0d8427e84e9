/** What takes how much: a bar with its words, and the list of environments. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { Environment, Storage } from '../../api/types';
import { formatBytes } from '../bytes';
import { formatAge, formatMoment } from '../time';

/** The parts as one bar, the largest words beside it. */
export function Parts(props: {
  storage: Storage;
  trans: TranslationBundle;
}): JSX.Element {
  const { storage, trans } = props;
  const environments = storage.environments.reduce(
    (sum, one) => sum + one.size,
    0
  );
  const parts = [
    {
      key: 'runs',
      label: trans._n('%1 run', '%1 runs', storage.run_count),
      size: storage.runs
    },
    {
      key: 'environments',
      label: trans._n(
        '%1 environment',
        '%1 environments',
        storage.environments.length
      ),
      size: environments
    },
    {
      key: 'rest',
      label: trans.__('saved values, database'),
      size: storage.snapshots + storage.other
    }
  ];
  return (
    <div>
      <p className="jp-PipelinesStorage-total">
        <strong>{trans.__('%1 in use', formatBytes(storage.total))}</strong>
        <span className="jp-mod-quiet">
          {trans.__('%1 free', formatBytes(storage.free))}
        </span>
      </p>
      <div className="jp-PipelinesStorage-bar" aria-hidden="true">
        {parts.map(part => (
          <span
            key={part.key}
            data-part={part.key}
            style={{ flexGrow: Math.max(part.size, storage.total / 200) }}
          />
        ))}
      </div>
      <ul className="jp-PipelinesStorage-parts">
        {parts.map(part => (
          <li key={part.key}>
            <i data-part={part.key} aria-hidden="true" />
            {part.label} <b>{formatBytes(part.size)}</b>
          </li>
        ))}
      </ul>
      <code className="jp-PipelinesStorage-path">{storage.path}</code>
    </div>
  );
}

/** The packages that were installed for steps; nothing where none were. */
export function Environments(props: {
  list: readonly Environment[];
  trans: TranslationBundle;
}): JSX.Element | null {
  const { list, trans } = props;
  if (!list.length) {
    return null;
  }
  const now = Date.now();
  return (
    <table className="jp-PipelinesStorage-environments">
      <caption>{trans.__('Environments')}</caption>
      <thead>
        <tr>
          <th scope="col">{trans.__('Packages')}</th>
          <th scope="col">{trans.__('Used')}</th>
          <th scope="col">{trans.__('Size')}</th>
        </tr>
      </thead>
      <tbody>
        {list.map(one => (
          <tr key={one.key}>
            <td title={trans.__('On %1', one.interpreter)}>
              {one.packages.join(', ')}
            </td>
            <td title={formatMoment(one.used_at)}>
              {one.active ? trans.__('in use') : formatAge(one.used_at, now)}
            </td>
            <td>{formatBytes(one.size)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
