/** The form's folded fields: other hosts, certificates, and credentials of object stores. */
import { addIcon, deleteIcon } from '@jupyterlab/ui-components';
import React, { useState } from 'react';
import { Field, TextField } from '../fields';
import { isStoreKept, usesAdvanced, type TextPlace } from './draft';
import type { IFormPartProps } from './form';
import { isAdvanced } from './places';

/** What a filled-in field looks like. */
const SAMPLES = {
  ui: 'https://kubeflow.example.org/pipeline',
  file: '/etc/ssl/certs/company.pem',
  hosts: 'artifacts.example.org',
  prefix: 'minio://mlpipeline/',
  store: 'https://minio.example.org'
};

export function Advanced(props: IFormPartProps): JSX.Element {
  const { editor, trans } = props;
  const [open, setOpen] = useState(() => usesAdvanced(editor.draft));
  // What is wrong must be seen.
  const shown = open || Object.keys(editor.faults).some(isAdvanced);
  const text = (place: TextPlace) => ({
    fault: editor.faults[place],
    value: editor.draft[place],
    onChange: (value: string) => editor.change({ [place]: value })
  });
  return (
    <details
      className="jp-PipelinesConnectionForm-advanced"
      open={shown}
      onToggle={event => setOpen(event.currentTarget.open)}
    >
      <summary>{trans.__('Advanced')}</summary>
      <div className="jp-PipelinesForm-body">
        <TextField
          {...text('ui_host')}
          label={trans.__('UI address')}
          hint={trans.__(
            'Where Kubeflow’s own page answers, if elsewhere: artifacts and logs come from there.'
          )}
          placeholder={SAMPLES.ui}
        />
        <TextField
          {...text('ca_file')}
          label={trans.__('CA file')}
          hint={trans.__(
            'On the Jupyter server: certificates to trust beside the system’s.'
          )}
          placeholder={SAMPLES.file}
        />
        <div className="jp-PipelinesConnectionForm-row">
          <TextField
            {...text('client_certificate')}
            label={trans.__('Client certificate')}
            hint={trans.__('Path on the Jupyter server.')}
          />
          <TextField
            {...text('client_key')}
            label={trans.__('Client key')}
            hint={trans.__('Path; empty where the certificate holds it.')}
          />
        </div>
        <Field
          label={trans.__('Artifact hosts')}
          hint={trans.__(
            'Hosts, one a line, from which http and https artifacts may be read.'
          )}
          fault={editor.faults.artifact_hosts}
        >
          {({ id, describedBy }) => (
            <textarea
              id={id}
              className="jp-Pipelines-input"
              aria-describedby={describedBy}
              aria-invalid={!!editor.faults.artifact_hosts}
              rows={2}
              spellCheck={false}
              placeholder={SAMPLES.hosts}
              value={editor.draft.artifact_hosts}
              onChange={event =>
                editor.change({ artifact_hosts: event.target.value })
              }
            />
          )}
        </Field>
        <Stores {...props} />
      </div>
    </details>
  );
}

function Stores(props: IFormPartProps): JSX.Element {
  const { editor, trans } = props;
  return (
    <div
      className="jp-PipelinesConnectionForm-stores"
      role="group"
      aria-label={trans.__('Object stores')}
    >
      <h4>{trans.__('Object stores')}</h4>
      <p>
        {trans.__(
          'Credentials for reading artifacts directly. Without them the UI address, or the server’s own, are used.'
        )}
      </p>
      {editor.draft.stores.map((_, index) => (
        <Store key={index} index={index} {...props} />
      ))}
      <button
        type="button"
        className="jp-Pipelines-link jp-PipelinesConnectionForm-add"
        onClick={() => editor.addStore()}
      >
        <addIcon.react tag="span" />
        {trans.__('Add object store')}
      </button>
    </div>
  );
}

function Store(props: IFormPartProps & { index: number }): JSX.Element {
  const { editor, index, trans } = props;
  const store = editor.draft.stores[index];
  const kept = isStoreKept(store, editor.stored);
  const field = (name: keyof typeof store) => ({
    fault: editor.faults[`stores.${index}.${name}`],
    value: store[name],
    onChange: (value: string) => editor.changeStore(index, { [name]: value })
  });
  const remove = trans.__('Remove object store %1', store.prefix || index + 1);
  return (
    <div
      className="jp-PipelinesConnectionForm-store"
      role="group"
      aria-label={store.prefix || trans.__('Object store %1', index + 1)}
    >
      <div className="jp-PipelinesConnectionForm-row">
        <TextField
          {...field('prefix')}
          label={trans.__('Prefix')}
          placeholder={SAMPLES.prefix}
        />
        <TextField
          {...field('endpoint')}
          label={trans.__('Endpoint')}
          note={trans.__('optional')}
          placeholder={SAMPLES.store}
        />
      </div>
      <div className="jp-PipelinesConnectionForm-row">
        <TextField {...field('access_key')} label={trans.__('Access key')} />
        <TextField
          {...field('secret_key')}
          type="password"
          label={trans.__('Secret key')}
          hint={kept ? trans.__('Kept unless you type a new one.') : undefined}
        />
        <TextField
          {...field('region')}
          label={trans.__('Region')}
          note={trans.__('optional')}
        />
      </div>
      <button
        type="button"
        className="jp-Pipelines-iconButton"
        title={remove}
        aria-label={remove}
        onClick={() => editor.removeStore(index)}
      >
        <deleteIcon.react tag={null} width="16px" height="16px" />
      </button>
    </div>
  );
}
