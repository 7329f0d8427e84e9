import { nullTranslator } from '@jupyterlab/translation';
import { act, fireEvent, render, screen } from '@testing-library/react';
import React from 'react';
import { RequestError } from '../../../api/request';
import type { ConnectionTest } from '../../../api/types';
import { FakeServer, makeRemote, settle } from '../../__tests__/fakes';
import { KnownTest } from '../knownTest';
import { Tested } from '../testDialog';

const trans = nullTranslator.load('jupyterlab_pipelines');

const KUBEFLOW = makeRemote({
  name: 'kubeflow',
  found: 'kubeconfig',
  removable: false,
  namespace: 'team-a'
});

const title = 'You may list runs';

const FORBIDDEN: ConnectionTest = {
  ok: false,
  steps: [
    {
      name: 'permission',
      title,
      state: 'failed',
      message: 'You may not list runs in namespace team-a.',
      next_step: 'Choose one of: team-b.'
    }
  ],
  version: '2.17.0',
  namespaces: ['team-b']
};

/** What the dialog shows of a server that answers so, and the names that were asked for. */
async function show(answer: () => Promise<ConnectionTest>) {
  const server = new FakeServer();
  const asked: string[] = [];
  const signals: (AbortSignal | undefined)[] = [];
  server.client.testKnownConnection = async (name, signal) => {
    asked.push(name);
    signals.push(signal);
    return answer();
  };
  const test = new KnownTest(server.service.connections, KUBEFLOW.name);
  await act(async () => {
    render(<Tested connection={KUBEFLOW} test={test} trans={trans} />);
    void test.test();
    await settle();
  });
  return { test, asked, signals };
}

describe('the test of a connection that was found', () => {
  it('says where it was found, and which step fails, why and what to do', async () => {
    await show(async () => FORBIDDEN);
    expect(screen.getByText('Found in kubeconfig')).toBeDefined();
    expect(screen.getByText(KUBEFLOW.host)).toBeDefined();
    expect(screen.getByText('Namespace team-a')).toBeDefined();
    const step = screen.getByRole('listitem');
    expect(step.textContent).toContain(`${title}, failed`);
    expect(step.textContent).toContain('You may not list runs in namespace');
    expect(step.textContent).toContain('Choose one of: team-b.');
    expect(screen.getByRole('status').textContent).toBe(
      'It does not work yet.'
    );
  });

  it('says why there was no test, and can be repeated', async () => {
    const gone = new RequestError(
      'There is no connection named “kubeflow”.',
      404,
      'NotFound',
      'Add it, or choose another.'
    );
    const answers = [() => Promise.reject(gone), async () => FORBIDDEN];
    const { asked } = await show(() => answers.shift()!());
    expect(screen.getByRole('alert').textContent).toContain(
      'Add it, or choose another.'
    );
    await act(async () => {
      fireEvent.click(screen.getByText('Test connection'));
      await settle();
    });
    expect(screen.queryByRole('alert')).toBeNull();
    expect(screen.getByRole('listitem')).toBeDefined();
    expect(asked).toEqual(['kubeflow', 'kubeflow']);
  });

  it('is given up when the user stops it or closes the dialog', async () => {
    const { test, signals } = await show(() => new Promise(() => undefined));
    fireEvent.click(screen.getByText('Stop the test'));
    expect(signals[0]?.aborted).toBe(true);
    expect(screen.getByText('Test connection')).toBeDefined();
    act(() => void test.test());
    test.dispose();
    expect(signals[1]?.aborted).toBe(true);
  });
});
