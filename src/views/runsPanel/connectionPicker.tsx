/** The panel's head: which connection is shown, whether it can be used, and the others. */
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  addIcon,
  caretDownEmptyThinIcon,
  checkIcon,
  deleteIcon,
  editIcon,
  runIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import React, { useEffect, useRef, useState } from 'react';
import type { Connection, ConnectionState } from '../../api/types';
import { whereFound } from '../connection/found';
import { useCloseOutside } from './useCloseOutside';

/** A connection's state in words. */
function stateWord(state: ConnectionState, trans: TranslationBundle): string {
  switch (state) {
    case 'ready':
      return trans.__('Ready');
    case 'unreachable':
      return trans.__('Not reachable');
    case 'sign_in':
      return trans.__('Sign-in needed');
    case 'forbidden':
      return trans.__('No access');
    case 'unsupported':
      return trans.__('Not supported');
  }
}

/** What the connection is: the engine on this machine, or a host and namespace. */
function describeConnection(
  { kind, host, namespace }: Connection,
  withNamespace: boolean,
  trans: TranslationBundle
): string {
  if (kind === 'local') {
    return trans.__('This machine');
  }
  const where = host.replace(/^https?:\/\//, '');
  return namespace && withNamespace ? `${where} · ${namespace}` : where;
}

/** A mark whose shape tells ready from not ready, with the word for screen readers. */
function ConnectionMark(props: {
  state: ConnectionState;
  trans: TranslationBundle;
}): JSX.Element {
  const word = stateWord(props.state, props.trans);
  return (
    <span
      className="jp-PipelinesConnection-mark"
      data-state={props.state}
      role="img"
      aria-label={word}
      title={word}
    />
  );
}

/** What can be done to a Kubeflow connection; one that was found can only be tested. */
export type ConnectionAction = 'edit' | 'test' | 'remove';

export interface IConnectionPickerProps {
  connections: readonly Connection[] | null;
  current: string;
  /** Whether the namespace is shown elsewhere. */
  hasNamespace: boolean;
  trans: TranslationBundle;
  onChoose: (name: string) => void;
  onAdd: () => void;
  onAction: (action: ConnectionAction, name: string) => void;
}

export function ConnectionPicker(props: IConnectionPickerProps): JSX.Element {
  const { connections, current, trans } = props;
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useCloseOutside(root, open, () => setOpen(false));

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  const shown = connections?.find(one => one.name === current);
  return (
    <div
      ref={root}
      className="jp-PipelinesConnection"
      onKeyDown={event => {
        if (open && event.key === 'Escape') {
          event.stopPropagation();
          close();
        } else if (open) {
          moveFocus(root.current, event);
        }
      }}
    >
      <button
        ref={button}
        type="button"
        className="jp-PipelinesConnection-button"
        aria-haspopup="menu"
        aria-expanded={open}
        title={trans.__('Choose a connection')}
        onClick={() => setOpen(!open)}
      >
        {shown && <ConnectionMark state={shown.state} trans={trans} />}
        <span className="jp-PipelinesConnection-name">{current}</span>
        <span className="jp-PipelinesConnection-where">
          {shown ? describeConnection(shown, !props.hasNamespace, trans) : ''}
        </span>
        <caretDownEmptyThinIcon.react tag="span" />
      </button>
      {open && <ConnectionMenu {...props} onDone={close} />}
    </div>
  );
}

function ConnectionMenu(
  props: IConnectionPickerProps & { onDone: () => void }
): JSX.Element {
  const { connections, trans, onAdd, onDone } = props;
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const item =
      root.current?.querySelector<HTMLElement>('[aria-checked="true"]') ??
      root.current?.querySelector<HTMLElement>('button');
    item?.focus();
  }, []);
  const act = (action: () => void) => () => {
    onDone();
    action();
  };
  return (
    <div
      ref={root}
      className="jp-PipelinesConnection-menu"
      role="menu"
      aria-label={trans.__('Connections')}
    >
      {connections?.map(one => (
        <ConnectionItem key={one.name} {...props} connection={one} act={act} />
      ))}
      <div className="jp-PipelinesConnection-item jp-mod-add" role="none">
        <button type="button" role="menuitem" onClick={act(onAdd)}>
          <addIcon.react tag="span" />
          <span className="jp-PipelinesConnection-text">
            {trans.__('Add connection…')}
          </span>
        </button>
      </div>
    </div>
  );
}

function ConnectionItem(
  props: IConnectionPickerProps & {
    connection: Connection;
    act: (action: () => void) => () => void;
  }
): JSX.Element {
  const { connection, current, trans, onChoose, onAction, act } = props;
  const { name, kind, state, found, message } = connection;
  const origin = whereFound(found, trans);
  return (
    <div className="jp-PipelinesConnection-item" role="none">
      <button
        type="button"
        role="menuitemradio"
        aria-checked={name === current}
        onClick={act(() => onChoose(name))}
      >
        <ConnectionMark state={state} trans={trans} />
        <span className="jp-PipelinesConnection-text">
          <span className="jp-PipelinesConnection-name">{name}</span>
          <span className="jp-PipelinesConnection-where">
            {describeConnection(connection, true, trans)}
          </span>
          {origin && (
            <span className="jp-PipelinesConnection-where">{origin}</span>
          )}
          {state !== 'ready' && (
            <span className="jp-PipelinesConnection-why">
              {message || stateWord(state, trans)}
            </span>
          )}
        </span>
        {name === current && <checkIcon.react tag="span" />}
      </button>
      {kind === 'kubeflow' && (
        <span className="jp-PipelinesConnection-actions" role="none">
          {possibleActions(connection, trans).map(
            ({ action, icon: Icon, ...words }) => (
              <button
                key={action}
                type="button"
                role="menuitem"
                className="jp-Pipelines-iconButton"
                title={words.title}
                aria-label={words.label}
                onClick={act(() => onAction(action, name))}
              >
                <Icon.react tag={null} width="16px" height="16px" />
              </button>
            )
          )}
        </span>
      )}
    </div>
  );
}

interface IConnectionButton {
  action: ConnectionAction;
  icon: LabIcon;
  title: string;
  label: string;
}

function possibleActions(
  { name, removable }: Connection,
  trans: TranslationBundle
): IConnectionButton[] {
  const test: IConnectionButton = {
    action: 'test',
    icon: runIcon,
    title: trans.__('Test connection…'),
    label: trans.__('Test connection %1', name)
  };
  if (!removable) {
    return [test];
  }
  return [
    {
      action: 'edit',
      icon: editIcon,
      title: trans.__('Change connection…'),
      label: trans.__('Change connection %1', name)
    },
    test,
    {
      action: 'remove',
      icon: deleteIcon,
      title: trans.__('Remove connection…'),
      label: trans.__('Remove connection %1', name)
    }
  ];
}

/** Up and down move between the menu's items, round its ends. */
function moveFocus(
  root: HTMLDivElement | null,
  event: React.KeyboardEvent
): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const items = [
    ...(root?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? [])
  ];
  if (!step || !items.length) {
    return;
  }
  event.preventDefault();
  const at = items.indexOf(document.activeElement as HTMLElement);
  items[(at + step + items.length) % items.length].focus();
}
