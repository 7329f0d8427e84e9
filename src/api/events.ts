/** The page's one WebSocket: shared subscriptions, reconnection, and notice of what was missed. */
import { URLExt } from '@jupyterlab/coreutils';
import type { ServerConnection } from '@jupyterlab/services';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { ROOT } from './request';
import type { Event, Subscription } from './types';

/** What to be told of; the fields left out are those the topic does not need. */
export type Topic = Omit<Subscription, 'action'>;

export interface IEventListener {
  onEvent(event: Event): void;
  /** Events may have been missed, or the socket is down and time has passed: fetch again. */
  onResync(): void;
}

export interface IEventsStatus {
  /** `idle`: nobody listens. */
  state: 'idle' | 'connecting' | 'open' | 'down';
  /** Why there are no live updates; empty unless `down`. */
  reason: string;
}

export interface IEventsOptions {
  settings: ServerConnection.ISettings;
  /** Milliseconds before the first retry; doubles up to `maxDelay`. */
  minDelay?: number;
  maxDelay?: number;
  /** Milliseconds an unused socket is kept. */
  linger?: number;
  random?: () => number;
}

interface IChannel {
  topic: Topic;
  listeners: Set<IEventListener>;
}

const DOWN =
  'Live updates are interrupted: the connection to the Jupyter server is lost. Reconnecting…';

/**
 * Opens with the first subscription and closes after the last.
 *
 * While the socket is down every failed attempt also asks the listeners to fetch again, so
 * that views still move behind a proxy that lets no WebSocket through.
 */
export class EventSocket implements IDisposable {
  constructor(options: IEventsOptions) {
    this._settings = options.settings;
    this._minDelay = options.minDelay ?? 500;
    this._maxDelay = options.maxDelay ?? 15_000;
    this._linger = options.linger ?? 5_000;
    this._random = options.random ?? Math.random;
    window.addEventListener('online', this._onOnline);
  }

  get status(): IEventsStatus {
    return this._status;
  }

  get statusChanged(): ISignal<this, IEventsStatus> {
    return this._statusChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Listens until the returned object is disposed. The listener fetches its first state itself. */
  subscribe(topic: Topic, listener: IEventListener): IDisposable {
    const key = channelKey(topic);
    let channel = this._channels.get(key);
    if (!channel) {
      channel = { topic, listeners: new Set() };
      this._channels.set(key, channel);
      this._send('subscribe', topic);
    }
    channel.listeners.add(listener);
    this._ensureOpen();
    return new DisposableDelegate(() => this._unsubscribe(key, listener));
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    window.removeEventListener('online', this._onOnline);
    clearTimeout(this._timer);
    clearTimeout(this._lingerTimer);
    this._channels.clear();
    this._drop();
    Signal.clearData(this);
  }

  private _unsubscribe(key: string, listener: IEventListener): void {
    const channel = this._channels.get(key);
    if (!channel?.listeners.delete(listener) || channel.listeners.size) {
      return;
    }
    this._channels.delete(key);
    this._send('unsubscribe', channel.topic);
    if (!this._channels.size) {
      clearTimeout(this._lingerTimer);
      this._lingerTimer = setTimeout(() => this._closeIfUnused(), this._linger);
    }
  }

  private _closeIfUnused(): void {
    if (!this._channels.size && !this._isDisposed) {
      clearTimeout(this._timer);
      this._drop();
      this._setStatus('idle');
    }
  }

  private _ensureOpen(): void {
    clearTimeout(this._lingerTimer);
    if (!this._socket && this._status.state !== 'down') {
      this._open();
    }
  }

  private _open(): void {
    const { wsUrl, token, appendToken, WebSocket } = this._settings;
    let url = URLExt.join(wsUrl, ROOT, 'events');
    if (appendToken && token) {
      url += `?token=${encodeURIComponent(token)}`;
    }
    if (this._status.state !== 'down') {
      this._setStatus('connecting');
    }
    const socket = new WebSocket(url);
    this._socket = socket;
    this._seq = null;
    socket.onopen = () => this._onOpen(socket);
    socket.onmessage = message => this._onMessage(socket, message);
    socket.onclose = () => this._onClose(socket);
  }

  private _onOpen(socket: WebSocket): void {
    if (socket !== this._socket) {
      return;
    }
    const again = this._opened || this._failures > 0;
    this._opened = true;
    this._failures = 0;
    this._setStatus('open');
    for (const channel of this._channels.values()) {
      this._send('subscribe', channel.topic);
    }
    if (again) {
      this._resync();
    }
  }

  private _onMessage(socket: WebSocket, message: MessageEvent): void {
    if (socket !== this._socket) {
      return;
    }
    const event = JSON.parse(message.data) as Event;
    const gap = this._seq !== null && event.seq !== this._seq + 1;
    this._seq = event.seq;
    for (const channel of [...this._channels.values()]) {
      if (concerns(event, channel.topic)) {
        channel.listeners.forEach(listener => listener.onEvent(event));
      }
    }
    if (gap) {
      this._resync();
    }
  }

  private _onClose(socket: WebSocket): void {
    if (socket !== this._socket || this._isDisposed) {
      return;
    }
    this._socket = null;
    if (!this._channels.size) {
      this._setStatus('idle');
      return;
    }
    this._setStatus('down');
    if (this._failures > 0) {
      this._resync();
    }
    const delay = Math.min(
      this._maxDelay,
      this._minDelay * 2 ** Math.min(this._failures, 10)
    );
    this._failures += 1;
    clearTimeout(this._timer);
    // Jitter: a restarted server must not meet all its pages in the same instant.
    this._timer = setTimeout(
      () => this._reopen(),
      delay * (0.5 + this._random() / 2)
    );
  }

  private _reopen(): void {
    if (this._channels.size) {
      this._open();
    } else {
      this._failures = 0;
      this._setStatus('idle');
    }
  }

  private readonly _onOnline = (): void => {
    if (this._status.state === 'down' && !this._socket) {
      clearTimeout(this._timer);
      this._reopen();
    }
  };

  private _resync(): void {
    for (const channel of [...this._channels.values()]) {
      channel.listeners.forEach(listener => listener.onResync());
    }
  }

  private _send(action: Subscription['action'], topic: Topic): void {
    if (this._status.state === 'open') {
      this._socket?.send(JSON.stringify({ action, ...topic }));
    }
  }

  private _drop(): void {
    const socket = this._socket;
    this._socket = null;
    socket?.close();
  }

  private _setStatus(state: IEventsStatus['state']): void {
    if (state !== this._status.state) {
      this._status = { state, reason: state === 'down' ? DOWN : '' };
      this._statusChanged.emit(this._status);
    }
  }

  private readonly _settings: ServerConnection.ISettings;
  private readonly _minDelay: number;
  private readonly _maxDelay: number;
  private readonly _linger: number;
  private readonly _random: () => number;
  private readonly _channels = new Map<string, IChannel>();
  private readonly _statusChanged = new Signal<this, IEventsStatus>(this);
  private _status: IEventsStatus = { state: 'idle', reason: '' };
  private _socket: WebSocket | null = null;
  private _seq: number | null = null;
  private _opened = false;
  private _failures = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  private _lingerTimer: ReturnType<typeof setTimeout> | undefined;
  private _isDisposed = false;
}

function channelKey(topic: Topic): string {
  return JSON.stringify([
    topic.topic,
    topic.connection ?? '',
    topic.run_id ?? '',
    topic.task_id ?? '',
    topic.attempt ?? null
  ]);
}

/** A `stale` notice about a whole connection names no run: it concerns all of its channels. */
function concerns(event: Event, topic: Topic): boolean {
  const same = (a: string, b: string | undefined) => !a || a === (b ?? '');
  const attempts =
    event.attempt === null ||
    (topic.attempt ?? null) === null ||
    event.attempt === topic.attempt;
  return (
    event.topic === topic.topic &&
    same(event.connection, topic.connection) &&
    same(event.run_id, topic.run_id) &&
    same(event.task_id, topic.task_id) &&
    attempts
  );
}
