/** The plugin that provides IPipelines: client, live events and models. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
// These are small, and restoring a run's tab needs them at once.
/* eslint-disable jupyter/prefer-lazy-imports */
import { PipelinesClient } from '../api/client';
import { EventSocket } from '../api/events';
import { Pipelines } from '../models/pipelines';
/* eslint-enable jupyter/prefer-lazy-imports */
import { IPipelines } from '../tokens';

export const service: JupyterFrontEndPlugin<IPipelines> = {
  id: 'jupyterlab-pipelines:service',
  description: 'Provides connections, runs and live events of pipelines.',
  autoStart: true,
  provides: IPipelines,
  activate: (app: JupyterFrontEnd) => {
    const settings = app.serviceManager.serverSettings;
    return new Pipelines(
      new PipelinesClient(settings),
      new EventSocket({ settings })
    );
  }
};
