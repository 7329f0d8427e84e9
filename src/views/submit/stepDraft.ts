/** A step in the making: what the server proposes, what the kernel knows, what the user chose. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { PipelinesClient } from '../../api/client';
import { asRequestError, type RequestError } from '../../api/request';
import type {
  CellSelection,
  KernelVariable,
  Problem,
  Run,
  StepInput,
  StepPlan,
  StepRequest
} from '../../api/types';
import type { IProbeResult } from './kernelProbe';

/** Milliseconds after the last choice before the server is asked what it means. */
const PAUSE = 250;

/** Where an input's value may come from. */
export type InputSource = StepInput['source'];

/** An input as the user sees it: `text` is the JSON being typed, `fault` what is wrong with it. */
export interface IDraftInput extends StepInput {
  text: string;
  fault: string;
  /** What the source may be changed to. */
  sources: readonly InputSource[];
}

export interface IStepDraftOptions {
  client: PipelinesClient;
  connection: string;
  selection: CellSelection;
  caching: boolean;
  /** Asks the notebook's kernel about variables; never rejects. */
  probe: (names: string[]) => Promise<IProbeResult>;
  /** Says what is wrong with JSON that cannot be read. */
  invalidJson: (name: string, reason: string) => string;
}

export class StepDraft implements IDisposable {
  constructor(private readonly options: IStepDraftOptions) {
    this._connection = options.connection;
    this._caching = options.caching;
  }

  get selection(): CellSelection {
    return this.options.selection;
  }

  get connection(): string {
    return this._connection;
  }

  /** Null until the first answer of the server. */
  get plan(): StepPlan | null {
    return this._plan;
  }

  get name(): string {
    return this._name ?? this._plan?.name ?? '';
  }

  get inputs(): readonly IDraftInput[] {
    return this._inputs;
  }

  get packages(): readonly string[] {
    return this._packages ?? this._plan?.packages ?? [];
  }

  get caching(): boolean {
    return this._caching;
  }

  /** Why the kernel could not be asked; empty where it was. */
  get kernelNote(): string {
    return this._kernel?.note ?? '';
  }

  /** The server or the kernel is being asked. */
  get isPlanning(): boolean {
    return this._planning > 0;
  }

  get isRunning(): boolean {
    return this._running;
  }

  /** Why the last request failed, where it was not for a problem at a place. */
  get error(): RequestError | null {
    return this._error;
  }

  /** What is wrong, by cell and line. */
  get problems(): readonly Problem[] {
    return this._error?.problems.length
      ? this._error.problems
      : (this._plan?.problems ?? []);
  }

  get canRun(): boolean {
    return (
      !this._running &&
      !this.isPlanning &&
      this._plan !== null &&
      this._plan.problems.length === 0 &&
      this.name.trim() !== '' &&
      this._inputs.every(input => !input.fault)
    );
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Asks the server what the cells need, the kernel what it has, and the server again. */
  async start(): Promise<void> {
    await this._replan();
    if (!this._plan) {
      return;
    }
    this._setPlanning(1);
    const names = this._plan.inputs.map(input => input.name);
    const answer = await this.options.probe(names);
    this._kernel = answer;
    this._setPlanning(-1);
    if (answer.interpreter !== null) {
      await this._replan();
    }
  }

  setName(name: string): void {
    this._name = name;
    this._emit();
  }

  setCaching(caching: boolean): void {
    this._caching = caching;
    this._emit();
  }

  setConnection(connection: string): void {
    if (connection !== this._connection) {
      this._connection = connection;
      this._schedule();
    }
  }

  setPackages(packages: string[]): void {
    this._packages = packages;
    this._emit();
  }

  setSource(name: string, source: InputSource): void {
    this._edit(name, input => {
      const variable = this._variable(name);
      const value = source === 'parameter' ? (variable?.value ?? null) : null;
      return {
        ...input,
        source,
        value,
        text: JSON.stringify(value),
        fault: '',
        snapshot: source === 'snapshot' ? (variable?.snapshot ?? null) : null
      };
    });
    this._schedule();
  }

  /** Takes a parameter's JSON as it is typed. */
  setText(name: string, text: string): void {
    this._edit(name, input => {
      try {
        return { ...input, text, value: JSON.parse(text), fault: '' };
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return {
          ...input,
          text,
          fault: this.options.invalidJson(name, reason)
        };
      }
    });
  }

  /** Runs the step; the run, or null where it was refused: then `error` says why. */
  async run(): Promise<Run | null> {
    if (!this.canRun) {
      return null;
    }
    clearTimeout(this._timer);
    this._running = true;
    this._error = null;
    this._emit();
    try {
      return await this.options.client.runStep(
        this._connection,
        this._request(true)
      );
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
      clearTimeout(this._timer);
      this._abort?.abort();
      Signal.clearData(this);
    }
  }

  private _request(chosen: boolean): StepRequest {
    const own = chosen || this._touched;
    return {
      selection: this.selection,
      name: this._name ?? (chosen ? this.name : ''),
      inputs: own ? this._inputs.map(toStepInput) : null,
      variables: this._kernel?.variables ?? [],
      packages: chosen ? [...this.packages] : this._packages,
      interpreter: this._kernel?.interpreter ?? null,
      distributions: this._kernel?.distributions ?? {},
      working_directory: this._kernel?.workingDirectory ?? '',
      caching: this._caching
    };
  }

  private _schedule(): void {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => void this._replan(), PAUSE);
    this._emit();
  }

  /** What would run now. A newer question makes the older one's answer void. */
  private async _replan(): Promise<void> {
    this._abort?.abort();
    const abort = (this._abort = new AbortController());
    this._setPlanning(1);
    try {
      const plan = await this.options.client.planStep(
        this._connection,
        this._request(false),
        abort.signal
      );
      if (!abort.signal.aborted) {
        this._accept(plan);
      }
    } catch (error) {
      if (!abort.signal.aborted) {
        this._error = asRequestError(error);
      }
    } finally {
      this._setPlanning(-1);
    }
  }

  private _accept(plan: StepPlan): void {
    this._plan = plan;
    this._error = null;
    this._inputs = plan.inputs.map(input => {
      const before = this._inputs.find(one => one.name === input.name);
      const kept = before && this._touched && before.source === input.source;
      return {
        ...input,
        text: kept ? before.text : JSON.stringify(input.value ?? null),
        fault: kept ? before.fault : '',
        sources: this._sources(input)
      };
    });
  }

  private _sources(input: StepInput): InputSource[] {
    const variable = this._variable(input.name);
    const sources: [InputSource, boolean][] = [
      ['parameter', variable?.is_json ?? false],
      ['snapshot', !!variable?.snapshot],
      ['recompute', input.defined_in.length > 0]
    ];
    return sources
      .filter(([source, possible]) => possible || source === input.source)
      .map(([source]) => source);
  }

  private _variable(name: string): KernelVariable | undefined {
    return this._kernel?.variables.find(variable => variable.name === name);
  }

  private _edit(
    name: string,
    change: (input: IDraftInput) => IDraftInput
  ): void {
    this._touched = true;
    this._inputs = this._inputs.map(input =>
      input.name === name ? change(input) : input
    );
    this._emit();
  }

  private _setPlanning(change: 1 | -1): void {
    this._planning += change;
    this._emit();
  }

  private _emit(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _connection: string;
  private _caching: boolean;
  private _plan: StepPlan | null = null;
  private _name: string | null = null;
  private _inputs: IDraftInput[] = [];
  private _touched = false;
  private _packages: string[] | null = null;
  private _kernel: IProbeResult | null = null;
  private _planning = 0;
  private _running = false;
  private _error: RequestError | null = null;
  private _abort: AbortController | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}

function toStepInput(input: IDraftInput): StepInput {
  const { text, fault, sources, ...plain } = input;
  void [text, fault, sources];
  return plain;
}
