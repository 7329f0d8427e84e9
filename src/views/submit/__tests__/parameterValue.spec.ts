import { nullTranslator } from '@jupyterlab/translation';
import type { PipelineParameter } from '../../../api/types';
import { defaultText, editorOf, parseValue, toText } from '../parameterValue';

const trans = nullTranslator.load('jupyterlab_pipelines');

function parameter(
  type: string,
  changes: Partial<PipelineParameter> = {}
): PipelineParameter {
  return {
    name: 'p',
    type,
    description: '',
    required: false,
    default: null,
    choices: [],
    ...changes
  };
}

function parse(type: string, text: string, required = false) {
  return parseValue(parameter(type, { required }), text, trans);
}

describe('parseValue', () => {
  it.each([
    ['NUMBER_INTEGER', ' 42 ', 42],
    ['NUMBER_INTEGER', '-7', -7],
    ['NUMBER_DOUBLE', '1e-3', 0.001],
    ['NUMBER_DOUBLE', '.5', 0.5],
    ['STRING', ' as typed ', ' as typed '],
    ['BOOLEAN', 'false', false],
    ['LIST', '[1, "a"]', [1, 'a']],
    ['STRUCT', '{"a": null}', { a: null }]
  ])('reads a %s from %p', (type, text, value) => {
    expect(parse(type, text)).toEqual({ kind: 'value', value });
  });

  it.each([
    ['NUMBER_INTEGER', '1.5', 'whole number'],
    ['NUMBER_INTEGER', '99999999999999999999', 'whole number'],
    ['NUMBER_DOUBLE', 'lots', 'must be a number'],
    ['NUMBER_DOUBLE', '1e999', 'must be a number'],
    ['NUMBER_DOUBLE', '0x10', 'must be a number'],
    ['LIST', '{}', 'must be a list'],
    ['STRUCT', '[]', 'must be an object'],
    ['STRUCT', 'null', 'must be an object'],
    ['LIST', '[1', 'not valid JSON']
  ])('refuses a %s of %p and names it', (type, text, reason) => {
    const parsed = parse(type, text);
    expect(parsed.kind).toBe('fault');
    expect(parsed).toHaveProperty('fault', expect.stringContaining(reason));
    expect(parsed).toHaveProperty('fault', expect.stringContaining('“p”'));
  });

  it('leaves out what is optional and empty', () => {
    expect(parse('NUMBER_DOUBLE', '')).toEqual({ kind: 'absent' });
    expect(parse('STRING', '')).toEqual({ kind: 'absent' });
  });

  it('wants what is required', () => {
    expect(parse('STRING', '', true).kind).toBe('fault');
    expect(parse('BOOLEAN', '', true).kind).toBe('fault');
  });
});

describe('the editor of a parameter', () => {
  it('reads back what it shows', () => {
    for (const [type, value] of [
      ['STRING', 'lbfgs'],
      ['STRING', 'two\nlines'],
      ['NUMBER_DOUBLE', 0.25],
      ['BOOLEAN', false],
      ['LIST', [1, 2]],
      ['STRUCT', { a: { long: 'x'.repeat(80) } }]
    ] as [string, unknown][]) {
      const one = parameter(type, { default: value });
      expect(parseValue(one, defaultText(one), trans)).toEqual({
        kind: 'value',
        value
      });
    }
  });

  it('offers choices where there are some, of any type', () => {
    const one = parameter('STRING', { choices: ['a', 'b'], default: 'b' });
    expect(editorOf(one)).toBe('choice');
    expect(defaultText(one)).toBe(toText('b', 'choice'));
  });
});
