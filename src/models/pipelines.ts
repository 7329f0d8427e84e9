/** The page's one set of models: connections, a run list a connection, runs while they are held. */
import { DisposableDelegate } from '@lumino/disposable';
import type { PipelinesClient } from '../api/client';
import type { EventSocket } from '../api/events';
import type {
  IModelReference,
  IOpenRunOptions,
  IPipelines,
  RunOpener
} from '../tokens';
import { ConnectionsModel } from './connections';
import { RunModel } from './run';
import { RunsModel } from './runs';

export class Pipelines implements IPipelines {
  constructor(
    readonly client: PipelinesClient,
    readonly events: EventSocket
  ) {
    this.connections = new ConnectionsModel(client, events);
  }

  readonly connections: ConnectionsModel;

  opener: RunOpener | null = null;

  runs(connection: string): RunsModel {
    let model = this._runLists.get(connection);
    if (!model) {
      model = new RunsModel(this.client, this.events, connection);
      this._runLists.set(connection, model);
    }
    return model;
  }

  run(connection: string, runId: string): IModelReference<RunModel> {
    const key = `${connection}/${runId}`;
    let held = this._heldRuns.get(key);
    if (!held) {
      held = {
        // eslint-disable-next-line jupyter/require-disposable-ownership -- released with its last holder
        model: new RunModel(this.client, this.events, connection, runId),
        holders: 0
      };
      this._heldRuns.set(key, held);
    }
    held.holders += 1;
    return new RunReference(held.model, () => this._release(key));
  }

  openRun(connection: string, runId: string, options?: IOpenRunOptions): void {
    this.opener?.(connection, runId, options);
  }

  private _release(key: string): void {
    const held = this._heldRuns.get(key);
    if (held && --held.holders === 0) {
      this._heldRuns.delete(key);
      held.model.dispose();
    }
  }

  private readonly _runLists = new Map<string, RunsModel>();
  private readonly _heldRuns = new Map<
    string,
    { model: RunModel; holders: number }
  >();
}

class RunReference
  extends DisposableDelegate
  implements IModelReference<RunModel>
{
  constructor(
    readonly model: RunModel,
    release: () => void
  ) {
    super(release);
  }
}
