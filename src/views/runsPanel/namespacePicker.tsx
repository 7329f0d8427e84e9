/** The namespace whose runs are shown, and the others: chosen from a list, or typed. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownEmptyThinIcon, checkIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useId, useRef, useState } from 'react';
import { asRequestError, type RequestError } from '../../api/request';
import type { Connection } from '../../api/types';
import type { ConnectionsModel } from '../../models/connections';
import { Message } from '../message';
import { useCloseOutside } from './useCloseOutside';

export interface INamespacePickerProps {
  connection: Connection;
  connections: ConnectionsModel;
  trans: TranslationBundle;
  /** Shows another namespace's runs; rejects with RequestError. */
  onChoose: (namespace: string) => Promise<void>;
}

/** Nothing where the endpoint has one namespace for all. */
export function NamespacePicker(
  props: INamespacePickerProps
): JSX.Element | null {
  const { connection, connections, trans } = props;
  const { name, state } = connection;
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useCloseOutside(root, open, () => setOpen(false));
  useEffect(() => {
    // Where it fails, the connection's own state says why.
    void connections.loadNamespaces(name).catch(() => undefined);
  }, [connections, name, state]);

  const known = connections.namespaces(name);
  if (!known?.multi_user) {
    return null;
  }
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div
      ref={root}
      className="jp-PipelinesConnection jp-mod-namespace"
      onKeyDown={event => {
        if (open && event.key === 'Escape') {
          event.stopPropagation();
          close();
        }
      }}
    >
      <button
        ref={button}
        type="button"
        className="jp-PipelinesConnection-button"
        aria-haspopup="listbox"
        aria-expanded={open}
        title={trans.__('Choose a namespace')}
        aria-label={trans.__('Namespace: %1', known.current || '–')}
        onClick={() => setOpen(!open)}
      >
        <span className="jp-PipelinesConnection-namespace">
          {known.current || trans.__('Choose a namespace')}
        </span>
        <caretDownEmptyThinIcon.react tag="span" />
      </button>
      {open && <NamespaceList {...props} onDone={close} />}
    </div>
  );
}

function NamespaceList(
  props: INamespacePickerProps & { onDone: () => void }
): JSX.Element {
  const { connection, connections, trans, onChoose, onDone } = props;
  const [text, setText] = useState('');
  const [active, setActive] = useState(0);
  const [error, setError] = useState<RequestError | null>(null);
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.focus();
    connections
      .loadNamespaces(connection.name)
      .catch(failure => setError(asRequestError(failure)));
  }, [connections, connection.name]);

  const known = connections.namespaces(connection.name);
  const offers = offer(known?.namespaces ?? [], text.trim());
  const at = Math.min(active, offers.length - 1);
  const choose = async (namespace: string) => {
    try {
      await onChoose(namespace);
      onDone();
    } catch (failure) {
      setError(asRequestError(failure));
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && offers.length) {
      event.preventDefault();
      setActive((at + step + offers.length) % offers.length);
    } else if (event.key === 'Enter' && offers[at]) {
      event.preventDefault();
      void choose(offers[at]);
    }
  };
  return (
    <div className="jp-PipelinesConnection-menu">
      <input
        ref={input}
        className="jp-Pipelines-input"
        role="combobox"
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
        aria-label={trans.__('Find or type a namespace')}
        placeholder={trans.__('Find or type a namespace')}
        spellCheck={false}
        autoComplete="off"
        value={text}
        onChange={event => {
          setText(event.target.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div id={id} role="listbox" aria-label={trans.__('Namespaces')}>
        {offers.map((namespace, index) => (
          <div
            key={namespace}
            id={`${id}-${index}`}
            role="option"
            className="jp-PipelinesConnection-option"
            aria-selected={namespace === known?.current}
            data-active={index === at ? '' : undefined}
            onMouseDown={event => event.preventDefault()}
            onClick={() => void choose(namespace)}
          >
            <span>
              {known?.namespaces.includes(namespace)
                ? namespace
                : trans.__('Use “%1”', namespace)}
            </span>
            {namespace === known?.current && <checkIcon.react tag="span" />}
          </div>
        ))}
      </div>
      {error && (
        <Message
          kind="error"
          message={error.message}
          nextStep={error.nextStep}
        />
      )}
      {known?.message && (
        <p className="jp-PipelinesConnection-note">{known.message}</p>
      )}
    </div>
  );
}

/** The namespaces that hold the typed text; the text itself where there is none of that name. */
function offer(namespaces: readonly string[], text: string): string[] {
  const fitting = namespaces.filter(one => one.includes(text));
  return text && !namespaces.includes(text) ? [...fitting, text] : fitting;
}
