/**
 * One program's process on an executor. It outlives its connection: when that is lost, the session reconnects and
 * resumes, and the output goes on where it stopped.
 */
import type { ExecutorAddress } from './address.ts';
import { Connection, type ConnectOptions } from './connection.ts';
import { ExecutorError } from './errors.ts';
import type { Crash, ExecutorEvent, Opened, Requests, RequestType, Result } from './protocol.ts';

export type Exit = { readonly code: number } | { readonly signal: number };

export interface SessionListener {
  started?(): void;
  output?(stream: 1 | 2, bytes: Uint8Array): void;
  /** Bytes of output that the device had to drop while nobody was connected. */
  outputLost?(stream: 1 | 2, bytes: number): void;
  /** The process waits for `release` while this runs. */
  crashed?(crash: Crash): Promise<void>;
  connection?(state: 'lost' | 'resumed', reason?: string): void;
}

export interface SessionOptions extends ConnectOptions {
  readonly address: ExecutorAddress;
  /** Seconds the program lives on without a connection. */
  readonly grace?: number;
}

const DEFAULT_GRACE = 60;
const FIRST_RETRY = 100;
const LAST_RETRY = 5_000;

export class RemoteSession {
  /** How the program ended. Rejects with an ExecutorError when the session is lost for good. */
  readonly exited: Promise<Exit>;
  private connection: Connection;
  private readonly options: SessionOptions;
  private readonly listener: SessionListener;
  private opened: Opened | undefined;
  private readonly received = { 1: 0, 2: 0 };
  private finished = false;
  private readonly stopRetrying = new AbortController();
  private resolveExit!: (exit: Exit) => void;
  private rejectExit!: (error: Error) => void;

  private constructor(connection: Connection, options: SessionOptions, listener: SessionListener) {
    this.connection = connection;
    this.options = options;
    this.listener = listener;
    this.exited = new Promise((resolve, reject) => {
      this.resolveExit = resolve;
      this.rejectExit = reject;
    });
    // Whoever waits for the exit gets the rejection; nobody waiting is no crash of ours.
    this.exited.catch(() => {});
    this.attach(connection);
  }

  static async connect(options: SessionOptions, listener: SessionListener = {}): Promise<RemoteSession> {
    return new RemoteSession(await Connection.connect(options.address, options), options, listener);
  }

  get traffic(): Connection['traffic'] {
    return this.connection.traffic;
  }

  get hello(): Connection['hello'] {
    return this.connection.hello;
  }

  async open(request: Requests['open']): Promise<Opened> {
    this.opened = await this.connection.request('open', {
      grace: this.options.grace ?? DEFAULT_GRACE,
      ...request,
    });
    return this.opened;
  }

  request<T extends RequestType>(type: T, fields: Requests[T]): Promise<Result<T>> {
    return this.connection.request(type, fields);
  }

  /** Kills the program, if it runs, and ends the connection. */
  async close(): Promise<void> {
    this.stopRetrying.abort();
    const wasOpen = this.opened !== undefined && !this.finished;
    this.finished = true;
    if (wasOpen) await this.connection.request('close', {}).catch(() => {});
    this.rejectExit(new ExecutorError('closed', 'The session was closed.'));
    this.connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private attach(connection: Connection): void {
    this.connection = connection;
    connection.onEvent = (event) => this.take(event);
    void connection.closed.then((reason) => this.lost(reason));
  }

  private take(event: ExecutorEvent): void {
    switch (event.type) {
      case 'started':
        this.listener.started?.();
        break;
      case 'output': {
        const stream = event.stream === 2 ? 2 : 1;
        this.received[stream] = event.offset + event.bytes.length;
        this.listener.output?.(stream, event.bytes);
        break;
      }
      case 'crashed':
        void this.crashed(event);
        break;
      case 'exited':
        this.finished = true;
        this.resolveExit(event.signal === undefined ? { code: event.code ?? 0 } : { signal: event.signal });
        break;
    }
  }

  private async crashed(crash: Crash): Promise<void> {
    try {
      await this.listener.crashed?.(crash);
    } finally {
      await this.connection.request('release', {}).catch(() => {});
    }
  }

  private async lost(reason: ExecutorError): Promise<void> {
    if (this.finished) return;
    if (this.opened === undefined || reason.code === 'bad-answer' || reason.code === 'authentication') {
      this.rejectExit(reason);
      return;
    }
    this.listener.connection?.('lost', reason.message);
    const error = await this.reconnect(this.opened);
    if (error !== undefined) this.rejectExit(error);
  }

  /** Tries until the program's time without connection is over. Returns why it gave up. */
  private async reconnect(opened: Opened): Promise<ExecutorError | undefined> {
    const deadline = Date.now() + (this.options.grace ?? DEFAULT_GRACE) * 1000;
    const { signal } = this.stopRetrying;
    for (let wait = FIRST_RETRY; ; wait = Math.min(wait * 2, LAST_RETRY)) {
      try {
        const connection = await Connection.connect(this.options.address, { ...this.options, signal });
        const resumed = connection.request('resume', {
          session: opened.session,
          secret: opened.secret,
          stdout: this.received[1],
          stderr: this.received[2],
        });
        this.attachResumed(connection);
        const { stdoutLost, stderrLost } = await resumed;
        if (stdoutLost > 0) this.listener.outputLost?.(1, stdoutLost);
        if (stderrLost > 0) this.listener.outputLost?.(2, stderrLost);
        this.listener.connection?.('resumed');
        void connection.closed.then((reason) => this.lost(reason));
        return undefined;
      } catch (error) {
        if (signal.aborted) return new ExecutorError('closed', 'The session was closed.');
        const failure = error as ExecutorError;
        if (failure.code === 'no-session') {
          return new ExecutorError(
            'lost',
            `The program is gone: the executor was restarted, or its time without connection was over.`,
          );
        }
        if (Date.now() + wait > deadline || !RETRIED.has(failure.code)) return failure;
        await delay(wait, signal);
      }
    }
  }

  private attachResumed(connection: Connection): void {
    this.connection = connection;
    connection.onEvent = (event) => this.take(event);
  }
}

/** What can pass: the network or the executor may be back in a moment. */
const RETRIED: ReadonlySet<ExecutorError['code']> = new Set([
  'unreachable',
  'lost',
  'timeout',
  'busy',
  'refused',
]);

function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    signal.addEventListener('abort', finish);
  });
}
