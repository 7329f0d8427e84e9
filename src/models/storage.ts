/** What a connection's runs take on disk, and what would go if the user cleaned up. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { PipelinesClient } from '../api/client';
import { asRequestError, type RequestError } from '../api/request';
import type { Cleaned, Cleaning, Storage } from '../api/types';
import { Loader } from './loader';

export class StorageModel implements IDisposable {
  constructor(
    private readonly client: PipelinesClient,
    readonly connection: string
  ) {}

  /** Null until it was counted. */
  get storage(): Storage | null {
    return this._storage;
  }

  /** What `cleaning` would remove; null until that is known. */
  get preview(): Cleaned | null {
    return this._preview;
  }

  /** Why the last thing asked for did not come. */
  get error(): RequestError | null {
    return this._error;
  }

  get isCleaning(): boolean {
    return this._isCleaning;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  refresh(): Promise<void> {
    return this._storageLoader.run();
  }

  /** Asks what would go; the last question wins. */
  ask(cleaning: Cleaning): Promise<void> {
    this._cleaning = cleaning;
    this._preview = null;
    this._changed.emit();
    return this._previewLoader.run();
  }

  /** Removes what was last asked for; null where that failed, and `error` says why. */
  async clean(): Promise<Cleaned | null> {
    if (!this._cleaning) {
      return null;
    }
    this._isCleaning = true;
    this._changed.emit();
    try {
      return await this.client.clean(this.connection, this._cleaning);
    } catch (error) {
      this._error = asRequestError(error);
      return null;
    } finally {
      this._isCleaning = false;
      this._changed.emit();
    }
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._storageLoader.stop();
      this._previewLoader.stop();
      Signal.clearData(this);
    }
  }

  private async _count(signal: AbortSignal): Promise<void> {
    await this._try(signal, async () => {
      this._storage = await this.client.storage(this.connection, signal);
    });
  }

  private async _foresee(signal: AbortSignal): Promise<void> {
    const cleaning = this._cleaning;
    await this._try(signal, async () => {
      const preview = await this.client.clean(
        this.connection,
        { ...cleaning, dry_run: true },
        signal
      );
      if (cleaning === this._cleaning) {
        this._preview = preview;
      }
    });
  }

  private async _try(
    signal: AbortSignal,
    load: () => Promise<void>
  ): Promise<void> {
    try {
      await load();
      this._error = null;
    } catch (error) {
      if (!signal.aborted) {
        this._error = asRequestError(error);
      }
    }
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _storageLoader = new Loader(signal => this._count(signal));
  private readonly _previewLoader = new Loader(signal => this._foresee(signal));
  private _storage: Storage | null = null;
  private _cleaning: Cleaning | null = null;
  private _preview: Cleaned | null = null;
  private _error: RequestError | null = null;
  private _isCleaning = false;
  private _isDisposed = false;
}
