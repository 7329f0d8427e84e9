/** The form's fields as places: where it shows what the server or a test says of them; pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ConnectionStep } from '../../api/types';
import { EMPTY, type IDraft } from './draft';
import { questions } from './signIn';

/** Where the form shows what the server says of a place; empty: the form has no such field. */
export function placeOf(
  place: string,
  draft: IDraft,
  trans: TranslationBundle
): string {
  const path = place.split('.');
  const last = path[path.length - 1];
  if (path[0] === 'stores') {
    return path.length > 2 && Number(path[1]) < draft.stores.length
      ? place
      : '';
  }
  if (path[0] in EMPTY && path[0] !== 'method' && path[0] !== 'answers') {
    return path[0];
  }
  const asked = questions(draft.method, draft.answers, trans);
  if (asked.some(({ field }) => field === last)) {
    return `sign_in.${last}`;
  }
  return path[0] === 'sign_in' ? 'sign_in' : '';
}

/** The field that a failed step of a test is about. */
export function placeOfStep(
  step: ConnectionStep['name'],
  draft: IDraft,
  trans: TranslationBundle
): string {
  switch (step) {
    case 'sign_in': {
      const asked = questions(draft.method, draft.answers, trans);
      const field = (asked.find(one => one.secret) ?? asked[0])?.field;
      return field ? `sign_in.${field}` : 'sign_in';
    }
    case 'permission':
      return 'namespace';
    case 'ui':
      return draft.ui_host.trim() ? 'ui_host' : '';
    case 'tls':
      return draft.ca_file.trim() ? 'ca_file' : 'host';
    default:
      return 'host';
  }
}

/** Whether a place is among the folded fields. */
export function isAdvanced(place: string): boolean {
  return /^(ui_host|ca_file|client_|artifact_hosts|stores)/.test(place);
}
