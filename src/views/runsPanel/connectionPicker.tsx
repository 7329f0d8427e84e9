/** The panel's head: which connection is shown, whether it can be used, and the others. */
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  addIcon,
  caretDownEmptyThinIcon,
  checkIcon,
  deleteIcon
} from '@jupyterlab/ui-components';
import React, { useEffect, useRef, useState } from 'react';
import type { Connection, ConnectionState } from '../../api/types';

/** A connection's state in words. */
function stateWord(state: ConnectionState, trans: TranslationBundle): string {
  switch (state) {
    case 'ready':
      return trans.__('Ready');
    case 'unreachable':
      return trans.__('Not reachable');
    case 'sign_in':
      return trans.__('Sign-in needed');
    case 'unsupported':
      return trans.__('Not supported');
  }
}

/** What the connection is: the engine on this machine, or a host and namespace. */
export function describeConnection(
  connection: Connection,
  trans: TranslationBundle
): string {
  if (connection.kind === 'local') {
    return trans.__('This machine');
  }
  const host = connection.host.replace(/^https?:\/\//, '');
  return connection.namespace ? `${host} · ${connection.namespace}` : host;
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

export interface IConnectionPickerProps {
  connections: readonly Connection[] | null;
  current: string;
  trans: TranslationBundle;
  onChoose: (name: string) => void;
  onAdd: () => void;
  onRemove: (name: string) => void;
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
          {shown ? describeConnection(shown, trans) : ''}
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
  const { connections, current, trans, onChoose, onAdd, onRemove, onDone } =
    props;
  const first = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const list = first.current;
    const item =
      list?.querySelector<HTMLElement>('[aria-checked="true"]') ??
      list?.querySelector<HTMLElement>('button');
    item?.focus();
  }, []);
  const act = (action: () => void) => () => {
    onDone();
    action();
  };
  return (
    <div
      ref={first}
      className="jp-PipelinesConnection-menu"
      role="menu"
      aria-label={trans.__('Connections')}
    >
      {connections?.map(one => (
        <div className="jp-PipelinesConnection-item" key={one.name} role="none">
          <button
            type="button"
            role="menuitemradio"
            aria-checked={one.name === current}
            onClick={act(() => onChoose(one.name))}
          >
            <ConnectionMark state={one.state} trans={trans} />
            <span className="jp-PipelinesConnection-text">
              <span className="jp-PipelinesConnection-name">{one.name}</span>
              <span className="jp-PipelinesConnection-where">
                {describeConnection(one, trans)}
              </span>
              {one.state !== 'ready' && (
                <span className="jp-PipelinesConnection-why">
                  {one.message || stateWord(one.state, trans)}
                </span>
              )}
            </span>
            {one.name === current && <checkIcon.react tag="span" />}
          </button>
          {one.removable && (
            <button
              type="button"
              role="menuitem"
              className="jp-PipelinesConnection-remove"
              title={trans.__('Remove connection…')}
              aria-label={trans.__('Remove connection %1', one.name)}
              onClick={act(() => onRemove(one.name))}
            >
              <deleteIcon.react tag={null} width="16px" height="16px" />
            </button>
          )}
        </div>
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

/** Closes what is open when the user clicks or tabs elsewhere. */
function useCloseOutside(
  root: React.RefObject<HTMLElement>,
  open: boolean,
  close: () => void
): void {
  useEffect(() => {
    if (!open) {
      return;
    }
    const onEvent = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) {
        close();
      }
    };
    document.addEventListener('mousedown', onEvent, true);
    document.addEventListener('focusin', onEvent, true);
    return () => {
      document.removeEventListener('mousedown', onEvent, true);
      document.removeEventListener('focusin', onEvent, true);
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [open]);
}
