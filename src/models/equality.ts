/** Deep equality of JSON values, so that a model signals only what really changed. */
import { JSONExt, type ReadonlyPartialJSONValue } from '@lumino/coreutils';

export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) {
    return true;
  }
  if (a === undefined || b === undefined) {
    return false;
  }
  return JSONExt.deepEqual(
    a as ReadonlyPartialJSONValue,
    b as ReadonlyPartialJSONValue
  );
}
