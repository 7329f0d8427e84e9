/** Says what failed where an action has no view of its own to say it in. */
import { Notification } from '@jupyterlab/apputils';
import { asRequestError } from '../api/request';

/** Shows what went wrong and the next step, until the user closes it. */
export function notifyError(error: unknown): void {
  const { message, nextStep } = asRequestError(error);
  Notification.error(`${message} ${nextStep}`.trim(), { autoClose: false });
}
