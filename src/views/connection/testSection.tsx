/** A connection's test: its button, and each step on the way to the endpoint with its mark. */
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { ConnectionStep, ConnectionTest, State } from '../../api/types';
import { StateIcon } from '../stateMark';

const MARKS: Record<ConnectionStep['state'], State> = {
  ok: 'SUCCEEDED',
  failed: 'FAILED',
  skipped: 'SKIPPED'
};

/** A test that the user starts, gives up and repeats. */
export interface ITest {
  /** What the last one found; null before the first. */
  readonly report: ConnectionTest | null;
  readonly isTesting: boolean;
  /** Whether something was changed since the last test. */
  readonly isStale: boolean;
  /** Never rejects. */
  test(): Promise<void>;
  cancelTest(): void;
}

export function TestSection(props: {
  test: ITest;
  trans: TranslationBundle;
}): JSX.Element {
  const { test, trans } = props;
  const { report, isTesting } = test;
  return (
    <section
      className="jp-PipelinesTest"
      aria-label={trans.__('Test of the connection')}
    >
      <div className="jp-PipelinesTest-head">
        <button
          type="button"
          onClick={() => (isTesting ? test.cancelTest() : void test.test())}
        >
          {isTesting ? trans.__('Stop the test') : trans.__('Test connection')}
        </button>
        <span role="status">
          {isTesting
            ? trans.__('Testing…')
            : report && summarise(report, test.isStale, trans)}
        </span>
      </div>
      {report && (
        <ol className="jp-PipelinesTest-steps">
          {report.steps.map(step => (
            <Step key={step.name} step={step} trans={trans} />
          ))}
        </ol>
      )}
    </section>
  );
}

function Step(props: {
  step: ConnectionStep;
  trans: TranslationBundle;
}): JSX.Element {
  const { step, trans } = props;
  const word = {
    ok: trans.__('passed'),
    failed: trans.__('failed'),
    skipped: trans.__('not tried')
  }[step.state];
  return (
    <li data-state={step.state}>
      <StateIcon state={MARKS[step.state]} />
      <div>
        <span className="jp-PipelinesTest-title">
          {step.title}
          <span className="jp-Pipelines-unseen">, {word}</span>
        </span>
        {step.message && (
          <span className="jp-PipelinesTest-message">{step.message}</span>
        )}
        {step.next_step && (
          <span className="jp-PipelinesTest-next">{step.next_step}</span>
        )}
      </div>
    </li>
  );
}

/** The outcome in a line. */
function summarise(
  report: ConnectionTest,
  stale: boolean,
  trans: TranslationBundle
): string {
  if (stale) {
    return trans.__('Before your last change:');
  }
  if (!report.ok) {
    return trans.__('It does not work yet.');
  }
  const count = report.namespaces.length;
  return [
    report.version
      ? trans.__('It works: %1', report.version)
      : trans.__('It works.'),
    ...(count ? [trans._n('%1 namespace', '%1 namespaces', count)] : [])
  ].join(' · ');
}
