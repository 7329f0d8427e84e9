/** Where a connection comes from that the user did not add, in words; pure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Connection } from '../../api/types';

/** Empty for those that the user added. */
export function whereFound(
  found: Connection['found'],
  trans: TranslationBundle
): string {
  switch (found) {
    case 'pod':
      return trans.__('Found in this notebook’s pod');
    case 'environment':
      return trans.__('Found in KF_PIPELINES_ENDPOINT');
    case 'kubeconfig':
      return trans.__('Found in kubeconfig');
    default:
      return '';
  }
}
