/** What is wrong, each at its place, with the way there. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { RequestError } from '../../api/request';
import type { Problem } from '../../api/types';
import { Message } from '../message';

export interface IProblemsProps {
  /** Shown where it has no problems of its own, or says more than they do. */
  error: RequestError | null;
  problems: readonly Problem[];
  /** The place in words, e.g. `Cell 3`; empty where it is none. */
  place: (problem: Problem) => string;
  /** Goes to the place; absent where one cannot. */
  onGo?: (problem: Problem) => void;
  trans: TranslationBundle;
}

export function Problems(props: IProblemsProps): JSX.Element | null {
  const { error, problems, place, onGo, trans } = props;
  if (!error && !problems.length) {
    return null;
  }
  return (
    <div className="jp-PipelinesSubmit-problems">
      {error && !problems.length && (
        <Message
          kind="error"
          message={error.message}
          nextStep={error.nextStep}
        />
      )}
      {problems.map((problem, i) => (
        <Message
          key={i}
          kind="error"
          message={withPlace(place(problem), problem.message)}
          nextStep={problem.next_step || error?.nextStep}
        >
          {onGo && problem.cell && (
            <>
              {' '}
              <button
                type="button"
                className="jp-Pipelines-link"
                onClick={() => onGo(problem)}
              >
                {trans.__('Go to the cell')}
              </button>
            </>
          )}
        </Message>
      ))}
    </div>
  );
}

function withPlace(place: string, message: string): string {
  return place && !message.includes(place) ? `${place}: ${message}` : message;
}
