/** A message at its place: what is wrong, and the next step. */
import {
  errorIcon,
  infoIcon,
  offlineBoltIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import React from 'react';

export type MessageKind = 'error' | 'warning' | 'info';

const ICONS: Record<MessageKind, LabIcon> = {
  error: errorIcon,
  warning: offlineBoltIcon,
  info: infoIcon
};

export interface IMessageProps {
  kind: MessageKind;
  message: string;
  /** What the user can do about it. */
  nextStep?: string;
  /** In the place of its kind's. */
  icon?: LabIcon;
  /** Further lines, links or buttons. */
  children?: React.ReactNode;
}

export function Message(props: IMessageProps): JSX.Element {
  const Icon = (props.icon ?? ICONS[props.kind]).react;
  return (
    <div
      className="jp-Pipelines-message"
      data-kind={props.kind}
      role={props.kind === 'error' ? 'alert' : 'status'}
    >
      <Icon tag="span" className="jp-Pipelines-messageIcon" />
      <div>
        <span className="jp-Pipelines-messageText">
          {props.nextStep ? asSentence(props.message) : props.message}
        </span>{' '}
        {props.nextStep && (
          <span className="jp-Pipelines-messageNext">{props.nextStep}</span>
        )}
        {props.children}
      </div>
    </div>
  );
}

/** A message that another sentence follows ends with a full stop. */
function asSentence(text: string): string {
  return /[.!?…]$/.test(text.trim()) ? text : `${text.trim()}.`;
}
