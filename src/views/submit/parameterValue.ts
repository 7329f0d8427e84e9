/** Pipeline parameters as text in a form, and back as JSON values of the declared type; pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { PipelineParameter } from '../../api/types';

/** How a parameter is typed in. */
export type Editor = 'choice' | 'text' | 'lines' | 'number' | 'json';

/** `absent`: left empty, so that the pipeline's own default or nothing is used. */
export type Parsed =
  | { kind: 'value'; value: unknown }
  | { kind: 'absent' }
  | { kind: 'fault'; fault: string };

export function editorOf(parameter: PipelineParameter): Editor {
  if (parameter.choices.length || parameter.type === 'BOOLEAN') {
    return 'choice';
  }
  switch (parameter.type) {
    case 'NUMBER_INTEGER':
    case 'NUMBER_DOUBLE':
      return 'number';
    case 'LIST':
    case 'STRUCT':
      return 'json';
    default:
      return String(parameter.default ?? '').includes('\n') ? 'lines' : 'text';
  }
}

/** The values a choice offers. */
export function choicesOf(parameter: PipelineParameter): unknown[] {
  return parameter.choices.length ? parameter.choices : [true, false];
}

/** The parameter's type as a Python programmer calls it. */
export function typeName(type: string): string {
  const names: Record<string, string> = {
    STRING: 'str',
    NUMBER_INTEGER: 'int',
    NUMBER_DOUBLE: 'float',
    BOOLEAN: 'bool',
    LIST: 'list',
    STRUCT: 'dict'
  };
  return names[type] ?? type.toLowerCase();
}

/** What the field holds at first: the default as the user would type it. */
export function defaultText(parameter: PipelineParameter): string {
  const value = parameter.default;
  return value === null || value === undefined
    ? ''
    : toText(value, editorOf(parameter));
}

/** A value as the editor shows it. */
export function toText(value: unknown, editor: Editor): string {
  if (editor === 'choice') {
    return JSON.stringify(value);
  }
  if (typeof value === 'string' && editor !== 'json') {
    return value;
  }
  const flat = JSON.stringify(value);
  return flat.length > 60 ? JSON.stringify(value, null, 2) : flat;
}

/** Reads a field. The fault names the parameter, so that it can stand anywhere. */
export function parseValue(
  parameter: PipelineParameter,
  text: string,
  trans: TranslationBundle
): Parsed {
  const { name, type } = parameter;
  const fault = (message: string): Parsed => ({
    kind: 'fault',
    fault: message
  });
  if (!text.trim() && (type !== 'STRING' || parameter.required || !text)) {
    return parameter.required
      ? fault(trans.__('“%1” needs a value.', name))
      : { kind: 'absent' };
  }
  switch (editorOf(parameter)) {
    case 'choice':
      return { kind: 'value', value: JSON.parse(text) };
    case 'text':
    case 'lines':
      return { kind: 'value', value: text };
    case 'number':
      return parseNumber(text.trim(), type === 'NUMBER_INTEGER')
        ? { kind: 'value', value: Number(text) }
        : fault(
            type === 'NUMBER_INTEGER'
              ? trans.__('“%1” must be a whole number, for instance 3.', name)
              : trans.__('“%1” must be a number, for instance 0.5.', name)
          );
    case 'json':
      return parseJson(parameter, text, trans);
  }
}

function parseNumber(text: string, whole: boolean): boolean {
  return whole
    ? /^[+-]?\d+$/.test(text) && Number.isSafeInteger(Number(text))
    : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) &&
        Number.isFinite(Number(text));
}

function parseJson(
  { name, type }: PipelineParameter,
  text: string,
  trans: TranslationBundle
): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return {
      kind: 'fault',
      fault: trans.__(
        '“%1” is not valid JSON: %2',
        name,
        error instanceof Error ? error.message : String(error)
      )
    };
  }
  const isList = Array.isArray(value);
  const isObject = typeof value === 'object' && value !== null && !isList;
  if (type === 'LIST' && !isList) {
    return {
      kind: 'fault',
      fault: trans.__('“%1” must be a list, for instance [1, 2].', name)
    };
  }
  if (type === 'STRUCT' && !isObject) {
    return {
      kind: 'fault',
      fault: trans.__('“%1” must be an object, for instance {"a": 1}.', name)
    };
  }
  return { kind: 'value', value };
}
