/** The dialog that adds a connection to a Kubeflow Pipelines endpoint. */
import { ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Signal, type ISignal } from '@lumino/signaling';
import React from 'react';
import { asRequestError, type RequestError } from '../../api/request';
import type { ConnectionsModel } from '../../models/connections';
import { SelectField, TextField } from '../fields';
import { FormDialog, type IFormBody } from '../formDialog';
import { Message } from '../message';
import {
  EMPTY,
  findFaults,
  toNewConnection,
  type Credentials,
  type Faults,
  type IDraft
} from './newConnection';

/** What a filled-in field looks like. */
const SAMPLES = {
  ADDRESS: 'https://kubeflow.example.org/pipeline',
  TOKEN_FILE: '/var/run/secrets/kubeflow/pipelines/token',
  TOKEN_ENV: 'KF_PIPELINES_TOKEN'
};

/** Asks for a connection and adds it; its name, or null where the user cancelled. */
export function addConnection(
  connections: ConnectionsModel,
  trans: TranslationBundle
): Promise<string | null> {
  // eslint-disable-next-line jupyter/require-disposable-ownership -- a dialog disposes itself
  const dialog = new FormDialog<string>({
    title: trans.__('Add connection'),
    body: new ConnectionForm(connections, trans),
    accept: trans.__('Add'),
    busy: trans.__('Adding…'),
    focus: 'input',
    className: 'jp-mod-narrow',
    trans
  });
  return dialog.ask();
}

class ConnectionForm extends ReactWidget implements IFormBody<string> {
  constructor(
    private readonly connections: ConnectionsModel,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-PipelinesForm-body');
  }

  get canSubmit(): boolean {
    return !this._busy;
  }

  get isBusy(): boolean {
    return this._busy;
  }

  get stateChanged(): ISignal<this, void> {
    return this._stateChanged;
  }

  async submit(): Promise<string | null> {
    this._checked = true;
    if (Object.keys(this._faults()).length) {
      this.update();
      return null;
    }
    this._setBusy(true, null);
    try {
      await this.connections.add(toNewConnection(this._draft));
      return this._draft.name;
    } catch (error) {
      this._setBusy(false, asRequestError(error));
      return null;
    }
  }

  override dispose(): void {
    Signal.clearData(this);
    super.dispose();
  }

  protected override render(): JSX.Element {
    return (
      <Fields
        draft={this._draft}
        faults={this._checked ? this._faults() : {}}
        error={this._error}
        trans={this.trans}
        onChange={change => {
          this._draft = { ...this._draft, ...change };
          this.update();
        }}
      />
    );
  }

  private _faults(): Faults {
    const taken = this.connections.connections?.map(one => one.name) ?? [];
    return findFaults(this._draft, taken, this.trans);
  }

  private _setBusy(busy: boolean, error: RequestError | null): void {
    this._busy = busy;
    this._error = error;
    this.update();
    this._stateChanged.emit();
  }

  private readonly _stateChanged = new Signal<this, void>(this);
  private _draft: IDraft = EMPTY;
  private _checked = false;
  private _busy = false;
  private _error: RequestError | null = null;
}

function Fields(props: {
  draft: IDraft;
  faults: Faults;
  error: RequestError | null;
  trans: TranslationBundle;
  onChange: (change: Partial<IDraft>) => void;
}): JSX.Element {
  const { draft, faults, error, trans, onChange } = props;
  return (
    <>
      <TextField
        label={trans.__('Name')}
        hint={trans.__('A short name for it here, for instance team-cluster.')}
        fault={faults.name}
        value={draft.name}
        onChange={name => onChange({ name })}
      />
      <TextField
        label={trans.__('Address')}
        hint={trans.__(
          'Where the Kubeflow Pipelines API answers, without /apis.'
        )}
        fault={faults.host}
        placeholder={SAMPLES.ADDRESS}
        value={draft.host}
        onChange={host => onChange({ host })}
      />
      <TextField
        label={trans.__('Namespace')}
        hint={trans.__('Empty where the endpoint has no namespaces.')}
        value={draft.namespace}
        onChange={namespace => onChange({ namespace })}
      />
      <SelectField
        label={trans.__('Sign-in')}
        value={draft.credentials}
        options={[
          { value: 'none', label: trans.__('No token') },
          { value: 'token', label: trans.__('Token') },
          { value: 'token_file', label: trans.__('Token from a file') },
          {
            value: 'token_env',
            label: trans.__('Token from an environment variable')
          }
        ]}
        onChange={credentials =>
          onChange({ credentials: credentials as Credentials, secret: '' })
        }
      />
      <Secret {...{ draft, faults, trans, onChange }} />
      {error && (
        <Message
          kind="error"
          message={error.message}
          nextStep={error.nextStep}
        />
      )}
    </>
  );
}

function Secret(props: {
  draft: IDraft;
  faults: Faults;
  trans: TranslationBundle;
  onChange: (change: Partial<IDraft>) => void;
}): JSX.Element | null {
  const { draft, faults, trans, onChange } = props;
  const common = {
    fault: faults.secret,
    value: draft.secret,
    onChange: (secret: string) => onChange({ secret })
  };
  switch (draft.credentials) {
    case 'none':
      return null;
    case 'token':
      return (
        <TextField
          {...common}
          type="password"
          label={trans.__('Token')}
          hint={trans.__(
            'Stored on the server for you alone; never shown again.'
          )}
        />
      );
    case 'token_file':
      return (
        <TextField
          {...common}
          label={trans.__('Path of the file')}
          hint={trans.__('On the Jupyter server; read again when it changes.')}
          placeholder={SAMPLES.TOKEN_FILE}
        />
      );
    case 'token_env':
      return (
        <TextField
          {...common}
          label={trans.__('Name of the variable')}
          hint={trans.__('In the Jupyter server’s environment.')}
          placeholder={SAMPLES.TOKEN_ENV}
        />
      );
  }
}
