/** Our own icons, and the one that marks each state of a run or a task. */
import { LabIcon } from '@jupyterlab/ui-components';
import type { State } from './api/types';
import canceled from '../style/icons/state-canceled.svg';
import cached from '../style/icons/state-cached.svg';
import failed from '../style/icons/state-failed.svg';
import noAccess from '../style/icons/no-access.svg';
import paused from '../style/icons/state-paused.svg';
import pending from '../style/icons/state-pending.svg';
import pipelineFile from '../style/icons/pipeline-file.svg';
import pipelines from '../style/icons/pipelines.svg';
import running from '../style/icons/state-running.svg';
import runStep from '../style/icons/run-step.svg';
import skipped from '../style/icons/state-skipped.svg';
import succeeded from '../style/icons/state-succeeded.svg';

function icon(name: string, svgstr: string): LabIcon {
  return new LabIcon({ name: `jupyterlab-pipelines:${name}`, svgstr });
}

export const pipelinesIcon = icon('pipelines', pipelines);
export const runStepIcon = icon('run-step', runStep);
export const pipelineFileIcon = icon('pipeline-file', pipelineFile);
export const noAccessIcon = icon('no-access', noAccess);

const canceledIcon = icon('canceled', canceled);

/** Each state has a shape of its own, so that colour is never the only mark. */
export const stateIcons: Record<State, LabIcon> = {
  PENDING: icon('pending', pending),
  RUNNING: icon('running', running),
  SUCCEEDED: icon('succeeded', succeeded),
  CACHED: icon('cached', cached),
  SKIPPED: icon('skipped', skipped),
  FAILED: icon('failed', failed),
  CANCELING: canceledIcon,
  CANCELED: canceledIcon,
  PAUSED: icon('paused', paused)
};
