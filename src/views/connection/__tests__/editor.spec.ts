import { nullTranslator } from '@jupyterlab/translation';
import { RequestError } from '../../../api/request';
import type {
  ConnectionStep,
  ConnectionTest,
  NewConnection
} from '../../../api/types';
import { FakeServer } from '../../__tests__/fakes';
import { ConnectionEditor, type IConnectionEditorOptions } from '../editor';

const trans = nullTranslator.load('jupyterlab_pipelines');

function step(
  name: ConnectionStep['name'],
  failure: Partial<ConnectionStep> = {}
): ConnectionStep {
  return {
    name,
    title: name,
    state: 'ok',
    message: '',
    next_step: '',
    ...failure
  };
}

const REFUSED: ConnectionTest = {
  ok: false,
  steps: [
    step('tcp'),
    step('sign_in', {
      state: 'failed',
      message: 'The token was refused.',
      next_step: 'Give a new one.'
    })
  ],
  version: '',
  namespaces: []
};

const STORED: NewConnection = {
  name: 'team',
  kind: 'kubeflow',
  host: 'https://team.example.org',
  sign_in: { method: 'token' }
};

/** An editor over a server that answers as `answers` say, and what was sent there. */
function open(
  answers: {
    add?: (connection: NewConnection) => unknown;
    test?: (connection: NewConnection) => Promise<ConnectionTest>;
  } = {},
  options: Partial<IConnectionEditorOptions> = {}
) {
  const server = new FakeServer();
  const sent: NewConnection[] = [];
  const ask = (answer?: (connection: NewConnection) => unknown) => {
    return async (connection: NewConnection) => {
      sent.push(connection);
      return answer?.(connection);
    };
  };
  Object.assign(server.client, {
    addConnection: ask(answers.add),
    changeConnection: ask(answers.add),
    testConnection: ask(answers.test)
  });
  const { connections } = server.service;
  const editor = new ConnectionEditor({ connections, trans, ...options });
  return { editor, sent };
}

describe('the form of a connection', () => {
  it('names a connection after its address until the user names it', () => {
    const { editor } = open();
    editor.change({ host: 'https://team.example.org' });
    expect(editor.draft.name).toBe('team');
    editor.change({ name: 'mine' });
    editor.change({ host: 'https://other.example.org' });
    expect(editor.draft.name).toBe('mine');
  });

  it('says nothing of empty fields before it is sent, and sends nothing then', async () => {
    const { editor, sent } = open();
    expect(editor.faults).toEqual({});
    expect(await editor.save()).toBeNull();
    expect(Object.keys(editor.faults)).toEqual(['name', 'host']);
    expect(sent).toEqual([]);
  });

  it('keeps what was typed for one method while another is looked at', () => {
    const { editor } = open();
    editor.chooseMethod('token');
    editor.answer('token', 'secret');
    editor.chooseMethod('dex');
    editor.chooseMethod('token');
    expect(editor.draft.answers['token.token']).toBe('secret');
  });

  it('puts what the server refuses at its field, and loses nothing', async () => {
    const { editor } = open({
      add: () => {
        const problem = {
          message: 'does not name a host',
          next_step: '',
          place: 'host'
        };
        throw new RequestError('The host does not name a host.', 400, '', '', [
          { ...problem, cell: null, line: null, column: null }
        ]);
      }
    });
    editor.change({ host: 'https://team.example.org' });
    expect(await editor.save()).toBeNull();
    expect(editor.faults).toEqual({ host: 'The host does not name a host.' });
    expect(editor.error).toBeNull();
    expect(editor.draft.host).toBe('https://team.example.org');
    editor.change({ host: 'https://team2.example.org' });
    expect(editor.faults).toEqual({});
  });

  it('says what has no field for the whole form', async () => {
    const { editor } = open({
      add: () => {
        throw new RequestError('The disk is full.', 507, '', 'Free some.');
      }
    });
    editor.change({ host: 'https://team.example.org' });
    await editor.save();
    expect(editor.error?.message).toBe('The disk is full.');
  });

  it('shows the failed step of a test at its field until that is changed', async () => {
    const { editor, sent } = open({ test: async () => REFUSED });
    editor.change({ host: 'https://team.example.org', name: '' });
    editor.chooseMethod('token');
    editor.answer('token', 'wrong');
    await editor.test();
    expect(sent[0].sign_in).toEqual({ method: 'token', token: 'wrong' });
    expect(editor.report).toBe(REFUSED);
    expect(editor.faults).toEqual({
      'sign_in.token': 'The token was refused.'
    });
    editor.answer('token', 'right');
    expect(editor.faults).toEqual({});
    expect(editor.isStale).toBe(true);
    expect(editor.report).toBe(REFUSED);
  });

  it('forgets a test that was stopped', async () => {
    let finish = (_: ConnectionTest) => {};
    const { editor } = open({
      test: () => new Promise(resolve => (finish = resolve))
    });
    editor.change({ host: 'https://team.example.org' });
    const testing = editor.test();
    expect(editor.isTesting).toBe(true);
    editor.cancelTest();
    finish(REFUSED);
    await testing;
    expect(editor.isTesting).toBe(false);
    expect(editor.report).toBeNull();
  });

  it('changes a connection without asking for its secret again', async () => {
    const { editor, sent } = open({}, { settings: STORED });
    editor.change({ namespace: 'ml' });
    expect(await editor.save()).toBe('team');
    expect(sent[0]).toMatchObject({ name: 'team', namespace: 'ml' });
    expect(sent[0].sign_in).toEqual({ method: 'token' });
  });
});
