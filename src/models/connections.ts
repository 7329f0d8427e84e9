/** The connections there are and whether each can be used now. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { PipelinesClient } from '../api/client';
import type { EventSocket } from '../api/events';
import { asRequestError, type RequestError } from '../api/request';
import type {
  Connection,
  ConnectionTest,
  Namespaces,
  NewConnection
} from '../api/types';
import { sameJson } from './equality';
import { Loader } from './loader';

export class ConnectionsModel implements IDisposable {
  constructor(
    private readonly client: PipelinesClient,
    private readonly events: EventSocket
  ) {}

  /** Null until the first answer. */
  get connections(): readonly Connection[] | null {
    return this._connections;
  }

  /** Why the list could not be read; null when it could. */
  get error(): RequestError | null {
    return this._error;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  find(name: string): Connection | null {
    return this._connections?.find(one => one.name === name) ?? null;
  }

  /** Starts listening; resolves when the list was first read, or could not be. */
  start(): Promise<void> {
    if (this._started || this._isDisposed) {
      return this._started ?? Promise.resolve();
    }
    this._subscription = this.events.subscribe(
      { topic: 'connections' },
      {
        onEvent: event => this._set(event.connections, null),
        onResync: () => void this.refresh()
      }
    );
    this._started = this.refresh();
    return this._started;
  }

  refresh(): Promise<void> {
    return this._loader.run();
  }

  /** Rejects with RequestError. */
  async add(connection: NewConnection): Promise<void> {
    await this.client.addConnection(connection);
    await this.refresh();
  }

  /** What the user gave, without its secrets. Rejects with RequestError. */
  settings(name: string): Promise<NewConnection> {
    return this.client.connection(name);
  }

  /** Secrets that are left out are kept. Rejects with RequestError. */
  async update(connection: NewConnection): Promise<void> {
    await this.client.changeConnection(connection);
    this._namespaces.delete(connection.name);
    await this.refresh();
  }

  /** Looks how far a connection leads; stores nothing. Rejects with RequestError. */
  test(
    connection: NewConnection,
    signal?: AbortSignal
  ): Promise<ConnectionTest> {
    return this.client.testConnection(connection, signal);
  }

  /** As `test`, of one that there is, with the secrets it has. Rejects with RequestError. */
  testKnown(name: string, signal?: AbortSignal): Promise<ConnectionTest> {
    return this.client.testKnownConnection(name, signal);
  }

  /** What the endpoint said of its namespaces; null before it was asked. */
  namespaces(name: string): Namespaces | null {
    return this._namespaces.get(name) ?? null;
  }

  /** Asks the endpoint for its namespaces. Rejects with RequestError. */
  async loadNamespaces(name: string): Promise<Namespaces> {
    const namespaces = await this.client.namespaces(name);
    if (!sameJson(namespaces, this.namespaces(name))) {
      this._namespaces.set(name, namespaces);
      this._emit();
    }
    return namespaces;
  }

  /** Shows another namespace's runs from now on. Rejects with RequestError. */
  async chooseNamespace(name: string, namespace: string): Promise<void> {
    await this.client.chooseNamespace(name, namespace);
    const known = this.namespaces(name);
    if (known) {
      this._namespaces.set(name, { ...known, current: namespace });
    }
    await this.refresh();
    this._emit();
  }

  /** Rejects with RequestError. */
  async remove(name: string): Promise<void> {
    await this.client.removeConnection(name);
    this._namespaces.delete(name);
    await this.refresh();
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._subscription?.dispose();
      this._loader.stop();
      Signal.clearData(this);
    }
  }

  private async _load(signal: AbortSignal): Promise<void> {
    try {
      this._set(await this.client.connections(signal), null);
    } catch (error) {
      if (!signal.aborted) {
        this._set(this._connections, asRequestError(error));
      }
    }
  }

  private _set(
    connections: readonly Connection[] | null,
    error: RequestError | null
  ): void {
    const same =
      sameJson(connections, this._connections) &&
      error?.message === this._error?.message;
    this._connections = connections;
    this._error = error;
    if (!same) {
      this._emit();
    }
  }

  private _emit(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _loader = new Loader(signal => this._load(signal));
  private readonly _namespaces = new Map<string, Namespaces>();
  private _connections: readonly Connection[] | null = null;
  private _error: RequestError | null = null;
  private _subscription: IDisposable | null = null;
  private _started: Promise<void> | null = null;
  private _isDisposed = false;
}
