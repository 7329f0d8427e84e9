/** Where to run: one of the connections, with the reason when it cannot be used now. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { ConnectionsModel } from '../../models/connections';
import { SelectField } from '../fields';
import { useSignals } from '../useSignal';

export interface IConnectionFieldProps {
  connections: ConnectionsModel;
  value: string;
  trans: TranslationBundle;
  onChange: (connection: string) => void;
}

export function ConnectionField(props: IConnectionFieldProps): JSX.Element {
  const { connections, value, trans, onChange } = props;
  useSignals(connections.changed);
  const known = connections.connections ?? [];
  const chosen = connections.find(value);
  const options = known.map(({ name, kind, namespace }) => ({
    value: name,
    label:
      kind === 'local'
        ? trans.__('%1 (this machine)', name)
        : namespace
          ? `${name} (${namespace})`
          : name
  }));
  if (!chosen) {
    options.push({ value, label: value });
  }
  return (
    <SelectField
      label={trans.__('Run on')}
      fault={chosen && chosen.state !== 'ready' ? chosen.message : null}
      hint={chosen?.notice}
      value={value}
      options={options}
      onChange={onChange}
    />
  );
}
