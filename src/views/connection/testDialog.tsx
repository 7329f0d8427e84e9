/** The dialog that tests a connection which came by itself: where it was found, and each step. */
import { Dialog, ReactWidget } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import React from 'react';
import type { Connection } from '../../api/types';
import type { ConnectionsModel } from '../../models/connections';
import { Message } from '../message';
import { useSignals } from '../useSignal';
import { whereFound } from './found';
import { KnownTest } from './knownTest';
import { TestSection } from './testSection';

/** Shows the dialog and tests at once; resolves when the user has closed it. */
export async function showTest(
  connection: Connection,
  connections: ConnectionsModel,
  trans: TranslationBundle
): Promise<void> {
  const test = new KnownTest(connections, connection.name);
  // eslint-disable-next-line jupyter/require-disposable-ownership -- a dialog disposes itself
  const dialog = new TestDialog({
    title: trans.__('Test connection “%1”', connection.name),
    body: new TestBody(connection, test, trans),
    hasClose: true,
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
  dialog.addClass('jp-PipelinesForm');
  dialog.addClass('jp-PipelinesConnectionForm');
  void test.test();
  try {
    await dialog.launch();
  } finally {
    test.dispose();
  }
}

class TestDialog extends Dialog<unknown> {
  /** Enter presses the test's own button, and does not close the dialog then. */
  protected override _evtKeydown(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (event.key !== 'Enter' || !target.closest('.jp-Dialog-body button')) {
      super._evtKeydown(event);
    }
  }
}

class TestBody extends ReactWidget {
  constructor(
    private readonly connection: Connection,
    private readonly test: KnownTest,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.addClass('jp-PipelinesForm-body');
  }

  protected override render(): JSX.Element {
    const { connection, test, trans } = this;
    return <Tested connection={connection} test={test} trans={trans} />;
  }
}

export function Tested(props: {
  connection: Connection;
  test: KnownTest;
  trans: TranslationBundle;
}): JSX.Element {
  const { connection, test, trans } = props;
  useSignals(test.changed);
  const { host, namespace, found } = connection;
  const { error } = test;
  return (
    <>
      <div className="jp-PipelinesTest-what">
        <span>{whereFound(found, trans)}</span>
        <span className="jp-PipelinesTest-host">{host}</span>
        <span>
          {namespace
            ? trans.__('Namespace %1', namespace)
            : trans.__('No namespace is chosen')}
        </span>
      </div>
      <TestSection test={test} trans={trans} />
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
