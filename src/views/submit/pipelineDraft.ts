/** A pipeline file about to run: what the server reads in it, and what the user fills in. */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { PipelinesClient } from '../../api/client';
import { asRequestError, type RequestError } from '../../api/request';
import type {
  PipelineDescription,
  PipelineParameter,
  Problem,
  Run
} from '../../api/types';
import { defaultText, parseValue, type Parsed } from './parameterValue';

/** `keep`: as the pipeline was compiled. */
export type CachingChoice = 'keep' | 'on' | 'off';

export interface IPipelineDraftOptions {
  client: PipelinesClient;
  connection: string;
  /** Compiled IR as text. */
  text: string;
  /** Name of the run, made from the pipeline's. */
  proposeName: (pipeline: string) => string;
  trans: TranslationBundle;
}

export class PipelineDraft implements IDisposable {
  constructor(private readonly options: IPipelineDraftOptions) {
    this._connection = options.connection;
  }

  get connection(): string {
    return this._connection;
  }

  /** Null until the server has read the file. */
  get description(): PipelineDescription | null {
    return this._description;
  }

  get name(): string {
    return this._name;
  }

  get caching(): CachingChoice {
    return this._caching;
  }

  get isReading(): boolean {
    return this._reading;
  }

  get isRunning(): boolean {
    return this._running;
  }

  get error(): RequestError | null {
    return this._error;
  }

  get problems(): readonly Problem[] {
    return this._error?.problems.length
      ? this._error.problems
      : (this._description?.problems ?? []);
  }

  get canRun(): boolean {
    return (
      !this._running &&
      !this._reading &&
      this._description !== null &&
      this._description.problems.length === 0
    );
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** What the parameter's field holds. */
  text(parameter: PipelineParameter): string {
    return this._texts.get(parameter.name) ?? defaultText(parameter);
  }

  /** What is wrong with the field; said once it was edited or the form was sent. */
  fault(parameter: PipelineParameter): string | null {
    if (!this._checked && !this._texts.has(parameter.name)) {
      return null;
    }
    const parsed = this._parse(parameter);
    return parsed.kind === 'fault' ? parsed.fault : null;
  }

  setText(parameter: string, text: string): void {
    this._texts.set(parameter, text);
    this._emit();
  }

  setName(name: string): void {
    this._name = name;
    this._emit();
  }

  setCaching(caching: CachingChoice): void {
    this._caching = caching;
    this._emit();
  }

  /** Another engine may be able to run other pipelines: it is asked again. */
  setConnection(connection: string): void {
    if (connection !== this._connection) {
      this._connection = connection;
      void this.read();
    }
  }

  /** Lets the server read the file. */
  async read(): Promise<void> {
    const { client, text, proposeName } = this.options;
    const connection = this._connection;
    this._reading = true;
    this._error = null;
    this._emit();
    try {
      const description = await client.describe(connection, text);
      if (connection === this._connection) {
        this._description = description;
        this._name ||= proposeName(description.name);
      }
    } catch (error) {
      if (connection === this._connection) {
        this._error = asRequestError(error);
      }
    } finally {
      if (connection === this._connection) {
        this._reading = false;
        this._emit();
      }
    }
  }

  /** Runs the pipeline; the run, or null where something is wrong: then the form says what. */
  async run(): Promise<Run | null> {
    const parameters = this._parameters();
    this._checked = true;
    if (!this.canRun || !parameters) {
      this._emit();
      return null;
    }
    this._running = true;
    this._error = null;
    this._emit();
    try {
      return await this.options.client.submit(this._connection, {
        pipeline: this.options.text,
        display_name: this._name.trim(),
        parameters,
        caching: this._caching === 'keep' ? null : this._caching === 'on'
      });
    } catch (error) {
      this._error = asRequestError(error);
      return null;
    } finally {
      this._running = false;
      this._emit();
    }
  }

  dispose(): void {
    if (!this._isDisposed) {
      this._isDisposed = true;
      Signal.clearData(this);
    }
  }

  private _parse(parameter: PipelineParameter): Parsed {
    return parseValue(parameter, this.text(parameter), this.options.trans);
  }

  /** The values to send, or null where one of them is wrong. */
  private _parameters(): Record<string, unknown> | null {
    const values: Record<string, unknown> = {};
    for (const parameter of this._description?.parameters ?? []) {
      const parsed = this._parse(parameter);
      if (parsed.kind === 'fault') {
        return null;
      }
      if (parsed.kind === 'value') {
        values[parameter.name] = parsed.value;
      }
    }
    return values;
  }

  private _emit(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _texts = new Map<string, string>();
  private _connection: string;
  private _description: PipelineDescription | null = null;
  private _name = '';
  private _caching: CachingChoice = 'keep';
  private _checked = false;
  private _reading = false;
  private _running = false;
  private _error: RequestError | null = null;
  private _isDisposed = false;
}
