import { nullTranslator } from '@jupyterlab/translation';
import {
  EMPTY,
  findFaults,
  toNewConnection,
  type IDraft
} from '../newConnection';

const trans = nullTranslator.load('jupyterlab_pipelines');

const GOOD: IDraft = {
  ...EMPTY,
  name: 'team',
  host: ' https://kubeflow.example.org/pipeline '
};

function faults(change: Partial<IDraft>, taken: string[] = []): string[] {
  return Object.keys(findFaults({ ...GOOD, ...change }, taken, trans));
}

describe('findFaults', () => {
  it('accepts a name and an address', () => {
    expect(faults({})).toEqual([]);
  });

  it.each(['', 'Team', '1team', 'a_b', 'a b'])('refuses the name %p', name => {
    expect(faults({ name })).toEqual(['name']);
  });

  it('refuses a name that is taken', () => {
    expect(faults({}, ['team'])).toEqual(['name']);
  });

  it.each([
    '',
    'kubeflow.example.org',
    'file:///etc',
    'ftp://a',
    'http://u:p@a'
  ])('refuses the address %p', host => {
    expect(faults({ host })).toEqual(['host']);
  });

  it('wants the token that was chosen', () => {
    expect(faults({ credentials: 'token_env' })).toEqual(['secret']);
  });
});

describe('toNewConnection', () => {
  it('sends only the chosen kind of secret', () => {
    expect(
      toNewConnection({ ...GOOD, credentials: 'token_file', secret: ' /t ' })
    ).toEqual({
      name: 'team',
      kind: 'kubeflow',
      host: 'https://kubeflow.example.org/pipeline',
      namespace: '',
      sign_in: { method: 'token', file: '/t' }
    });
  });
});
