/** The service that the plugins share, and the token that finds it. */
import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { PipelinesClient } from './api/client';
import type { EventSocket } from './api/events';
import type { ConnectionsModel } from './models/connections';
import type { RunModel } from './models/run';
import type { RunsModel } from './models/runs';

/** A shared model, kept alive until its last holder disposes its reference. */
export interface IModelReference<T> extends IDisposable {
  readonly model: T;
}

/** Opens runs; the viewer's plugin provides it to the service. */
export type RunOpener = (
  connection: string,
  runId: string,
  options?: IOpenRunOptions
) => void;

export interface IOpenRunOptions {
  /** Task to select. */
  taskId?: string;
  /** Whether the run's tab comes to the front; true unless told. */
  activate?: boolean;
}

/** Connections, runs and live events of the page; every plugin uses the same one. */
export interface IPipelines {
  readonly client: PipelinesClient;
  readonly events: EventSocket;
  readonly connections: ConnectionsModel;
  /** The live list of a connection's runs; one a connection, kept for the page's life. */
  runs(connection: string): RunsModel;
  /** The live graph of a run. Dispose the reference when done. */
  run(connection: string, runId: string): IModelReference<RunModel>;
  /** The viewer's plugin sets it; until then opening a run does nothing. */
  opener: RunOpener | null;
  /** Shows a run in the main area, or brings its tab to the front. */
  openRun(connection: string, runId: string, options?: IOpenRunOptions): void;
}

export const IPipelines = new Token<IPipelines>(
  'jupyterlab-pipelines:IPipelines',
  'Connections, runs and live events of pipelines.'
);

/** What the sidebar shows: what other plugins propose to use. */
export interface IRunsPanel {
  /** Name of the connection that the user looks at. */
  readonly connection: string;
  /** The connection, once it is known what the user chose, else what the server prefers. */
  settled(): Promise<string>;
  choose(connection: string): void;
}

export const IRunsPanel = new Token<IRunsPanel>(
  'jupyterlab-pipelines:IRunsPanel',
  'The sidebar of pipeline runs.'
);
