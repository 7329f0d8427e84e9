import type { PipelinesClient } from '../../../api/client';
import { RequestError } from '../../../api/request';
import type { StepInput, StepPlan, StepRequest } from '../../../api/types';
import { settle } from '../../__tests__/fakes';
import type { IProbeResult } from '../kernelProbe';
import { StepDraft } from '../stepDraft';

const RATE: StepInput = {
  name: 'rate',
  source: 'recompute',
  type: '',
  value: null,
  snapshot: null,
  preview: '',
  defined_in: ['c1']
};

const KNOWN: IProbeResult = {
  variables: [
    {
      name: 'rate',
      type: 'float',
      preview: '0.1',
      value: 0.1,
      is_json: true,
      snapshot: null,
      error: null
    }
  ],
  interpreter: '/opt/python',
  distributions: { sklearn: 'scikit-learn==1.8.0' },
  workingDirectory: '/home/me',
  note: ''
};

/** A draft over a server that plans as the real one does, and what the server was asked. */
function draftOf(probe: IProbeResult = KNOWN, change: Partial<StepPlan> = {}) {
  const asked: StepRequest[] = [];
  let refusal: RequestError | null = null;
  const client = {
    planStep: async (_: string, request: StepRequest): Promise<StepPlan> => {
      asked.push(request);
      const known = request.variables?.length;
      return {
        name: request.name || 'train',
        inputs: request.inputs ?? [
          known ? { ...RATE, source: 'parameter', value: 0.1 } : RATE
        ],
        packages: request.packages ?? ['scikit-learn'],
        code: '# %%',
        included: [],
        problems: [],
        ...change
      } as StepPlan;
    },
    runStep: async (_: string, request: StepRequest) => {
      asked.push(request);
      if (refusal) {
        throw refusal;
      }
      return { run_id: 'r1' };
    }
  } as unknown as PipelinesClient;
  const draft = new StepDraft({
    client,
    connection: 'local',
    selection: { notebook: 'n.ipynb', cells: [], selected: ['c2'] },
    caching: true,
    probe: async () => probe,
    invalidJson: (name, reason) => `${name}: ${reason}`
  });
  const refuse = (error: RequestError | null) => {
    refusal = error;
  };
  return { draft, asked, refuse };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('StepDraft', () => {
  it('plans, asks the kernel, and plans with its values', async () => {
    const { draft, asked } = draftOf();
    await draft.start();
    expect(asked).toHaveLength(2);
    expect(asked[1]).toMatchObject({
      inputs: null,
      interpreter: '/opt/python',
      distributions: KNOWN.distributions,
      working_directory: '/home/me'
    });
    expect(draft.inputs[0]).toMatchObject({
      source: 'parameter',
      text: '0.1',
      sources: ['parameter', 'recompute']
    });
    expect(draft.canRun).toBe(true);
  });

  it('plans without values when the kernel is busy, and says so', async () => {
    const busy = { ...KNOWN, variables: [], interpreter: null, note: 'Busy.' };
    const { draft, asked } = draftOf(busy);
    await draft.start();
    expect(asked).toHaveLength(1);
    expect(draft.kernelNote).toBe('Busy.');
    expect(draft.inputs[0].sources).toEqual(['recompute']);
    expect(draft.canRun).toBe(true);
  });

  it('does not run JSON that cannot be read', async () => {
    const { draft } = draftOf();
    await draft.start();
    draft.setText('rate', '[0.1');
    expect(draft.inputs[0].fault).toContain('rate: ');
    expect(draft.canRun).toBe(false);
    draft.setText('rate', '0.2');
    expect(draft.canRun).toBe(true);
  });

  it('keeps what was typed when the plan comes again', async () => {
    const { draft, asked } = draftOf();
    await draft.start();
    draft.setText('rate', '0.2');
    draft.setConnection('team');
    jest.runAllTimers();
    await settle();
    expect(asked).toHaveLength(3);
    expect(asked[2].inputs?.[0]).toMatchObject({ name: 'rate', value: 0.2 });
    expect(draft.inputs[0].text).toBe('0.2');
  });

  it('sends every choice with the order to run', async () => {
    const { draft, asked } = draftOf();
    await draft.start();
    draft.setName('fit');
    draft.setPackages(['pandas>=2']);
    draft.setCaching(false);
    draft.setSource('rate', 'recompute');
    jest.runAllTimers();
    await settle();
    expect(await draft.run()).toEqual({ run_id: 'r1' });
    const order = asked[asked.length - 1];
    expect(order).toMatchObject({
      name: 'fit',
      packages: ['pandas>=2'],
      caching: false,
      interpreter: '/opt/python'
    });
    expect(order.inputs).toEqual([RATE]);
  });

  it('loses nothing when the order is refused', async () => {
    const { draft, refuse } = draftOf();
    await draft.start();
    draft.setText('rate', '0.3');
    const problem = {
      message: 'Line 1 cannot run.',
      next_step: '',
      cell: 'c2',
      line: 1,
      column: null,
      place: ''
    };
    refuse(new RequestError('No.', 400, 'InvalidCell', '', [problem]));
    expect(await draft.run()).toBeNull();
    expect(draft.problems).toEqual([problem]);
    expect(draft.inputs[0].text).toBe('0.3');
    expect(draft.canRun).toBe(true);
    refuse(null);
    expect(await draft.run()).toEqual({ run_id: 'r1' });
  });

  it('does not run what has problems', async () => {
    const problems = [
      {
        message: 'Never closed.',
        next_step: '',
        cell: 'c2',
        line: 2,
        column: 1,
        place: ''
      }
    ];
    const { draft } = draftOf(KNOWN, { problems });
    await draft.start();
    expect(draft.canRun).toBe(false);
    expect(draft.problems).toEqual(problems);
  });
});
