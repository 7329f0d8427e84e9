import { nullTranslator } from '@jupyterlab/translation';
import type { PipelinesClient } from '../../../api/client';
import { RequestError } from '../../../api/request';
import type { PipelineDescription, Submission } from '../../../api/types';
import { PipelineDraft } from '../pipelineDraft';

const DESCRIPTION: PipelineDescription = {
  name: 'digits',
  description: '',
  parameters: [
    {
      name: 'rate',
      type: 'NUMBER_DOUBLE',
      description: '',
      required: false,
      default: 0.1,
      choices: []
    },
    {
      name: 'epochs',
      type: 'NUMBER_INTEGER',
      description: '',
      required: true,
      default: null,
      choices: []
    }
  ],
  problems: []
};

function draftOf(changes: Partial<PipelineDescription> = {}) {
  const sent: Submission[] = [];
  const refusal = { error: null as RequestError | null };
  const client = {
    describe: async () => ({ ...DESCRIPTION, ...changes }),
    submit: async (_: string, submission: Submission) => {
      sent.push(submission);
      if (refusal.error) {
        throw refusal.error;
      }
      return { run_id: 'r1' };
    }
  } as unknown as PipelinesClient;
  const draft = new PipelineDraft({
    client,
    connection: 'local',
    text: 'root: {}',
    proposeName: name => `${name} today`,
    trans: nullTranslator.load('jupyterlab_pipelines')
  });
  return { draft, sent, refusal };
}

describe('PipelineDraft', () => {
  it('complains only when the form was sent', async () => {
    const { draft, sent } = draftOf();
    await draft.read();
    const epochs = DESCRIPTION.parameters[1];
    expect(draft.fault(epochs)).toBeNull();
    expect(await draft.run()).toBeNull();
    expect(draft.fault(epochs)).toContain('“epochs” needs a value');
    expect(sent).toEqual([]);
  });

  it('sends the values in their types', async () => {
    const { draft, sent } = draftOf();
    await draft.read();
    draft.setText('epochs', '5');
    draft.setCaching('off');
    expect(await draft.run()).toEqual({ run_id: 'r1' });
    expect(sent).toEqual([
      {
        pipeline: 'root: {}',
        display_name: 'digits today',
        parameters: { rate: 0.1, epochs: 5 },
        caching: false
      }
    ]);
  });

  it('keeps the form when the server refuses', async () => {
    const { draft, refusal } = draftOf();
    await draft.read();
    draft.setText('epochs', '5');
    refusal.error = new RequestError('The disk is full.', 507, 'Blocked', '');
    expect(await draft.run()).toBeNull();
    expect(draft.error?.message).toBe('The disk is full.');
    expect(draft.text(DESCRIPTION.parameters[1])).toBe('5');
    expect(draft.canRun).toBe(true);
  });

  it('does not run a file with problems', async () => {
    const problem = {
      message: 'Not YAML.',
      next_step: '',
      cell: null,
      line: 3,
      column: 1,
      place: 'line 3'
    };
    const { draft } = draftOf({ problems: [problem] });
    await draft.read();
    expect(draft.canRun).toBe(false);
    expect(draft.problems).toEqual([problem]);
  });
});
