/** A WebSocket whose server is the test. */
import { ServerConnection } from '@jupyterlab/services';

export class FakeSocket {
  static opened: FakeSocket[] = [];

  constructor(readonly url: string) {
    FakeSocket.opened.push(this);
  }

  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];
  closed = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.closed = true;
    this.onclose?.();
  }

  /** The server accepts. */
  accept(): void {
    this.onopen?.();
  }

  /** The server, or the network, hangs up. */
  drop(): void {
    this.onclose?.();
  }

  /** The server says something. */
  say(event: Record<string, unknown>): void {
    const plain = {
      connection: '',
      run_id: '',
      task_id: '',
      runs: [],
      deleted: [],
      delta: null,
      log_size: null,
      attempt: null,
      connections: [],
      stale: null
    };
    this.onmessage?.({ data: JSON.stringify({ ...plain, ...event }) });
  }

  static get last(): FakeSocket {
    return FakeSocket.opened[FakeSocket.opened.length - 1];
  }
}

export function fakeSettings(): ServerConnection.ISettings {
  FakeSocket.opened = [];
  return ServerConnection.makeSettings({
    baseUrl: 'http://localhost/user/ada/',
    wsUrl: 'ws://localhost/user/ada/',
    token: '',
    WebSocket: FakeSocket as unknown as typeof WebSocket
  });
}
