/** What the graph's shapes, colours and lines mean; folded away until asked for. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import { STATES } from '../../models/states';
import { StateIcon, stateLabel } from '../stateMark';

export function Legend({ trans }: { trans: TranslationBundle }): JSX.Element {
  const shown = STATES.filter(
    state => state !== 'PAUSED' && state !== 'CANCELING'
  );
  return (
    <details className="jp-PipelinesGraph-legend">
      <summary>{trans.__('Legend')}</summary>
      <ul>
        {shown.map(state => (
          <li key={state} data-pipelines-state={state}>
            <StateIcon state={state} />
            {stateLabel(state, trans)}
          </li>
        ))}
        <li>
          <Sample shape={<rect x={1} y={2} width={26} height={12} rx={6} />} />
          {trans.__('Step')}
        </li>
        <li>
          <Sample shape={<rect x={1} y={2} width={26} height={12} />} />
          {trans.__('Artifact')}
        </li>
        <li>
          <Sample
            shape={
              <>
                <rect x={4} y={4} width={23} height={11} rx={3} />
                <rect x={1} y={1} width={23} height={11} rx={3} />
              </>
            }
          />
          {trans.__('Group, collapsed')}
        </li>
        <li>
          <Sample shape={<path d="M1 8H27" strokeDasharray="4 3" />} />
          {trans.__('From the cache')}
        </li>
      </ul>
    </details>
  );
}

function Sample({ shape }: { shape: JSX.Element }): JSX.Element {
  return (
    <svg
      className="jp-PipelinesGraph-sample"
      width={28}
      height={16}
      aria-hidden="true"
    >
      {shape}
    </svg>
  );
}
