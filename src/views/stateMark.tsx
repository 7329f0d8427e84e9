/** A state as icon and word: its colour is never the only mark. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { State } from '../api/types';
import { stateIcons } from '../icons';

/** The state's word in the user's language. */
export function stateLabel(state: State, trans: TranslationBundle): string {
  switch (state) {
    case 'PENDING':
      return trans.__('Pending');
    case 'RUNNING':
      return trans.__('Running');
    case 'SUCCEEDED':
      return trans.__('Succeeded');
    case 'CACHED':
      return trans.__('Cached');
    case 'SKIPPED':
      return trans.__('Skipped');
    case 'FAILED':
      return trans.__('Failed');
    case 'CANCELING':
      return trans.__('Canceling');
    case 'CANCELED':
      return trans.__('Canceled');
    case 'PAUSED':
      return trans.__('Paused');
  }
}

/** The state's icon in its colour; hidden from screen readers, as the word stands beside it. */
export function StateIcon(props: { state: State }): JSX.Element {
  const Icon = stateIcons[props.state].react;
  return (
    <span
      className="jp-Pipelines-stateIcon"
      data-pipelines-state={props.state}
      aria-hidden="true"
    >
      <Icon tag={null} width="16px" height="16px" />
    </span>
  );
}
