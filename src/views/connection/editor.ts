/** The form's state: the draft, what is wrong with it, and what a test of it found. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { asRequestError, type RequestError } from '../../api/request';
import type { ConnectionTest, NewConnection } from '../../api/types';
import type { ConnectionsModel } from '../../models/connections';
import {
  draftOf,
  EMPTY,
  EMPTY_STORE,
  findFaults,
  proposeName,
  toNewConnection,
  type Faults,
  type IDraft,
  type IStoreDraft
} from './draft';
import { placeOf, placeOfStep } from './places';
import { answerKey, type Method } from './signIn';

export interface IConnectionEditorOptions {
  connections: ConnectionsModel;
  /** What a new connection begins with. */
  proposal?: Partial<IDraft>;
  /** The connection to change; without it one is added. */
  settings?: NewConnection | null;
  trans: TranslationBundle;
}

export class ConnectionEditor implements IDisposable {
  constructor(private readonly options: IConnectionEditorOptions) {
    const { settings, proposal, connections } = options;
    this._draft = settings ? draftOf(settings) : { ...EMPTY, ...proposal };
    this.stored = settings ? this._draft : null;
    this._proposed = this._draft.name;
    if (proposal?.host) {
      this._draft = this._withName(this._draft);
    }
    connections.changed.connect(this._emit, this);
  }

  /** What the server has already; null where a connection is added. */
  readonly stored: IDraft | null;

  get draft(): IDraft {
    return this._draft;
  }

  /** What is wrong, by place; said once the form was sent or tested. */
  get faults(): Faults {
    return { ...(this._checked ? this._findFaults() : {}), ...this._told };
  }

  /** What failed and has no place in the form. */
  get error(): RequestError | null {
    return this._error;
  }

  /** What the last test found; null before the first. */
  get report(): ConnectionTest | null {
    return this._report;
  }

  /** Whether something was changed since the last test. */
  get isStale(): boolean {
    return this._report !== null && this._tested !== this._draft;
  }

  get isTesting(): boolean {
    return this._abort !== null;
  }

  get isSaving(): boolean {
    return this._saving;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Changes fields; what was said of them before does not hold any more. */
  change(change: Partial<IDraft>): void {
    this._forget(Object.keys(change));
    this._draft = { ...this._draft, ...change };
    if ('host' in change) {
      this._draft = this._withName(this._draft);
    }
    this._emit();
  }

  chooseMethod(method: Method): void {
    this._forget(place => place.startsWith('sign_in'));
    this.change({ method });
  }

  answer(field: string, text: string): void {
    this._forget([`sign_in.${field}`, 'sign_in']);
    const key = answerKey(this._draft.method, field);
    this.change({ answers: { ...this._draft.answers, [key]: text } });
  }

  addStore(): void {
    this.change({ stores: [...this._draft.stores, EMPTY_STORE] });
  }

  changeStore(index: number, change: Partial<IStoreDraft>): void {
    this._forget(Object.keys(change).map(field => `stores.${index}.${field}`));
    this.change({
      stores: this._draft.stores.map((store, i) =>
        i === index ? { ...store, ...change } : store
      )
    });
  }

  removeStore(index: number): void {
    this._forget(place => place.startsWith('stores.'));
    this.change({ stores: this._draft.stores.filter((_, i) => i !== index) });
  }

  /** Looks how far the draft leads, and keeps nothing of it. Never rejects. */
  async test(): Promise<void> {
    const { connections, trans } = this.options;
    const { name, ...wrong } = this._findFaults();
    if (Object.keys(wrong).length) {
      this._refuse(wrong);
      return;
    }
    const abort = (this._abort = new AbortController());
    const draft = this._draft;
    this._told = {};
    this._error = null;
    this._emit();
    const asked = name ? { ...draft, name: UNNAMED } : draft;
    try {
      const report = await connections.test(
        toNewConnection(asked, trans),
        abort.signal
      );
      this._settle(abort, () => this._accept(report, draft));
    } catch (error) {
      this._settle(abort, () => this._blame(asRequestError(error)));
    }
  }

  /** Gives a test up. */
  cancelTest(): void {
    this._abort?.abort();
    this._abort = null;
    this._emit();
  }

  /** Stores the draft; the connection's name, or null where it was refused. Never rejects. */
  async save(): Promise<string | null> {
    const { connections, trans } = this.options;
    const wrong = this._findFaults();
    if (Object.keys(wrong).length) {
      this._checked = true;
      this._refuse({});
      return null;
    }
    this._saving = true;
    this._told = {};
    this._error = null;
    this._emit();
    const connection = toNewConnection(this._draft, trans);
    try {
      await (this.stored
        ? connections.update(connection)
        : connections.add(connection));
      return connection.name;
    } catch (error) {
      this._blame(asRequestError(error));
      return null;
    } finally {
      this._saving = false;
      this._emit();
    }
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      this._abort?.abort();
      this.options.connections.changed.disconnect(this._emit, this);
      Signal.clearData(this);
    }
  }

  private _findFaults(): Faults {
    const { connections, trans } = this.options;
    const taken = connections.connections?.map(one => one.name) ?? [];
    return findFaults(this._draft, { taken, stored: this.stored }, trans);
  }

  /** The name follows the address until the user writes one. */
  private _withName(draft: IDraft): IDraft {
    if (this.stored || draft.name !== this._proposed) {
      return draft;
    }
    const { connections } = this.options.connections;
    const taken = connections?.map(one => one.name) ?? [];
    this._proposed = proposeName(draft.host, taken);
    return { ...draft, name: this._proposed };
  }

  private _settle(abort: AbortController, apply: () => void): void {
    if (!abort.signal.aborted) {
      this._abort = null;
      apply();
      this._emit();
    }
  }

  private _accept(report: ConnectionTest, draft: IDraft): void {
    this._report = report;
    this._tested = draft;
    const failed = report.steps.find(step => step.state === 'failed');
    const place = failed && placeOfStep(failed.name, draft, this.options.trans);
    if (failed && place && draft === this._draft) {
      this._told = { [place]: failed.message };
    }
  }

  /** Puts what the server refused to its fields; what has none is the form's error. */
  private _blame(error: RequestError): void {
    const told: Record<string, string> = {};
    const alone = error.problems.length === 1;
    for (const { place, message } of error.problems) {
      const at = placeOf(place, this._draft, this.options.trans);
      if (at) {
        told[at] = alone
          ? `${error.message} ${error.nextStep}`.trim()
          : capitalised(message);
      }
    }
    this._told = told;
    const placed = Object.keys(told).length;
    this._error = placed && placed >= error.problems.length ? null : error;
  }

  private _refuse(faults: Faults): void {
    this._told = faults;
    this._error = null;
    this._emit();
  }

  private _forget(
    which: readonly string[] | ((place: string) => boolean)
  ): void {
    const gone =
      typeof which === 'function'
        ? which
        : (place: string) => which.includes(place);
    this._told = Object.fromEntries(
      Object.entries(this._told).filter(([place]) => !gone(place))
    );
  }

  private _emit(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _draft: IDraft;
  private _proposed: string;
  private _checked = false;
  /** What was said of a place, until it is changed. */
  private _told: Faults = {};
  private _error: RequestError | null = null;
  private _report: ConnectionTest | null = null;
  private _tested: IDraft | null = null;
  private _abort: AbortController | null = null;
  private _saving = false;
  private _isDisposed = false;
}

/** The name under which a connection without one is tested. */
const UNNAMED = 'unnamed';

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
