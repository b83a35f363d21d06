/** One WebSocket connection to an executor: handshake, requests and their answers, events, and what all that cost. */
import { randomBytes } from 'node:crypto';
import type WebSocket from 'ws';
import { type ExecutorAddress, formatAddress } from './address.ts';
import { clientProof, executorProof, NONCE_BYTES, sameProof } from './authentication.ts';
import { decode, encode } from './codec.ts';
import { type Endpoint, openEndpoint } from './endpoint.ts';
import { ExecutorError, type ExecutorErrorCode } from './errors.ts';
import {
  type EventType,
  type ExecutorEvent,
  errorCodes,
  events,
  type Hello,
  hello,
  PROTOCOL_HASH,
  PROTOCOL_VERSION,
  type Requests,
  type RequestType,
  type Result,
  results,
} from './protocol.ts';
import { FieldError } from './schema.ts';

export interface ConnectOptions {
  readonly token: string | undefined;
  /** Milliseconds for the handshake, and for each request that doesn't wait for the program. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/** Exact counts, not times. */
export interface Traffic {
  /** Times that the host sent something after it had waited for the executor; the WebSocket upgrade is the first. */
  roundTrips: number;
  /** Bytes of messages sent, without frame headers. */
  sentBytes: number;
  receivedBytes: number;
}

interface Pending {
  readonly type: RequestType;
  resolve(value: never): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout | undefined;
}

const DEFAULT_TIMEOUT = 15_000;
/** Requests whose answer comes when the program lets it. */
const UNTIMED: ReadonlySet<RequestType> = new Set(['input', 'lookup', 'commit']);

export class Connection {
  readonly hello: Hello;
  readonly address: ExecutorAddress;
  readonly traffic: Traffic;
  /** Called for each event; set before the first request. */
  onEvent: (event: ExecutorEvent) => void = () => {};
  /** Settles, never rejects, when the connection has gone, with the reason. */
  readonly closed: Promise<ExecutorError>;
  private readonly socket: WebSocket;
  private readonly timeout: number;
  private readonly pending = new Map<number, Pending>();
  private nextId = 1;
  private lastDirection: 'sent' | 'received' = 'received';
  private failure: ExecutorError | undefined;

  private constructor(
    socket: WebSocket,
    address: ExecutorAddress,
    greeting: Hello,
    timeout: number,
    receivedBytes: number,
  ) {
    this.socket = socket;
    this.address = address;
    this.hello = greeting;
    this.timeout = timeout;
    this.traffic = { roundTrips: 1, sentBytes: 0, receivedBytes };
    this.closed = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        const why = code === 1006 ? '' : ` (${reason.toString() || `close code ${code}`})`;
        const lost = new ExecutorError('lost', `The connection to ${formatAddress(address)} was lost${why}.`);
        this.fail(lost);
        resolve(this.failure ?? lost);
      });
    });
    socket.on('message', (data: Buffer) => this.receive(data));
    if (socket.readyState !== socket.OPEN) socket.terminate();
  }

  /**
   * Connects and authenticates. The proof is on its way when this resolves, its answer may not be: requests can
   * follow in the same flight, and fail all when the executor refuses.
   */
  static async connect(address: ExecutorAddress, options: ConnectOptions): Promise<Connection> {
    const timeout = options.timeout ?? DEFAULT_TIMEOUT;
    options.signal?.throwIfAborted();
    const endpoint = openEndpoint(address, timeout);
    const abort = () => endpoint.socket.terminate();
    options.signal?.addEventListener('abort', abort, { once: true });
    try {
      const first = await firstMessage(endpoint, address, timeout);
      const greeting = checkHello(first, address);
      const connection = new Connection(endpoint.socket, address, greeting, timeout, first.length);
      connection.authenticate(options.token);
      return connection;
    } catch (error) {
      endpoint.socket.terminate();
      options.signal?.throwIfAborted();
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', abort);
    }
  }

  request<T extends RequestType>(type: T, fields: Requests[T]): Promise<Result<T>> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const id = this.nextId++;
    const promise = new Promise<Result<T>>((resolve, reject) => {
      const timer = UNTIMED.has(type)
        ? undefined
        : setTimeout(() => {
            this.pending.delete(id);
            const seconds = this.timeout / 1000;
            reject(new ExecutorError('timeout', `The executor didn't answer '${type}' within ${seconds} s.`));
          }, this.timeout);
      this.pending.set(id, { type, resolve: resolve as (value: never) => void, reject, timer });
    });
    const message = encode({ type, id, ...fields });
    if (message.length > this.hello.limits.message) {
      this.settle(id)?.reject(
        new ExecutorError(
          'limit',
          `The program is too large for this executor: ${message.length} bytes in one message, ${this.hello.limits.message} allowed.`,
        ),
      );
      return promise;
    }
    this.send(message);
    return promise;
  }

  close(): void {
    this.failure ??= new ExecutorError('closed', 'The connection was closed.');
    this.socket.close(1000);
    // A peer that doesn't answer the close frame must not keep the process alive.
    const timer = setTimeout(() => this.socket.terminate(), 1000);
    timer.unref();
    this.socket.once('close', () => clearTimeout(timer));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private send(message: Uint8Array): void {
    if (this.lastDirection === 'received') this.traffic.roundTrips++;
    this.lastDirection = 'sent';
    this.traffic.sentBytes += message.length;
    this.socket.send(message);
  }

  private authenticate(token: string | undefined): void {
    const needed = this.hello.authentication === 'token';
    if (needed && token === undefined) {
      throw new ExecutorError(
        'no-token',
        `The executor at ${formatAddress(this.address)} wants a token: give --token-file, or set CROSSJIT_TOKEN.`,
      );
    }
    if (!needed) return;
    const nonces = { executor: this.hello.nonce, client: randomBytes(NONCE_BYTES) };
    const secret = token ?? '';
    this.request('authenticate', { nonce: nonces.client, proof: clientProof(secret, nonces) }).then(
      (answer) => {
        if (sameProof(answer.proof, executorProof(secret, nonces))) return;
        this.drop(
          new ExecutorError(
            'authentication',
            `The executor at ${formatAddress(this.address)} doesn't know the token: nothing was sent to it.`,
          ),
        );
      },
      (error: ExecutorError) => this.drop(error),
    );
  }

  private receive(data: Buffer): void {
    this.lastDirection = 'received';
    this.traffic.receivedBytes += data.length;
    try {
      this.dispatch(decode(data) as Record<string, unknown>);
    } catch (error) {
      const what = error instanceof FieldError ? error.message : 'it is no valid message';
      this.drop(
        new ExecutorError('bad-answer', `The executor sent something that can't be understood: ${what}.`),
      );
    }
  }

  private dispatch(message: Record<string, unknown>): void {
    if (typeof message?.id === 'number') {
      const pending = this.settle(message.id);
      if (pending === undefined) return;
      if (message.error !== undefined) pending.reject(failureOf(message.error as Record<string, unknown>));
      else pending.resolve(results[pending.type].read(message.result, pending.type) as never);
      return;
    }
    const type = message?.type;
    if (typeof type !== 'string' || !Object.hasOwn(events, type))
      throw new FieldError('type', 'a known event');
    const event = { type, ...events[type as EventType].read(message, type) } as ExecutorEvent;
    this.onEvent(event);
  }

  private settle(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }

  private drop(error: ExecutorError): void {
    this.fail(error);
    this.socket.terminate();
  }

  private fail(error: ExecutorError): void {
    this.failure ??= error;
    for (const id of [...this.pending.keys()]) this.settle(id)?.reject(this.failure);
  }
}

function failureOf(error: Record<string, unknown>): ExecutorError {
  const { code, text, ...details } = error;
  const known = errorCodes.find((candidate) => candidate === code);
  return new ExecutorError((known ?? 'bad-answer') as ExecutorErrorCode, String(text ?? code), details);
}

function checkHello(message: Buffer, address: ExecutorAddress): Hello {
  let value: Record<string, unknown>;
  try {
    value = decode(message) as Record<string, unknown>;
    if (value.type !== 'hello') throw new FieldError('type', "'hello'");
  } catch {
    throw new ExecutorError(
      'bad-answer',
      `What answers at ${formatAddress(address)} is no Cross JIT executor.`,
    );
  }
  // The version is looked at before all else: another version's hello may have other fields.
  if (value.version !== PROTOCOL_VERSION || value.hash !== PROTOCOL_HASH) {
    const theirs = Number(value.version);
    const advice =
      theirs > PROTOCOL_VERSION
        ? 'update Cross JIT on this machine'
        : theirs < PROTOCOL_VERSION
          ? 'update the executor on the device'
          : 'they are different builds of one version: take both from the same one';
    throw new ExecutorError(
      'version',
      `The executor at ${formatAddress(address)} speaks protocol ${value.version} (${value.hash}), this is ${PROTOCOL_VERSION} (${PROTOCOL_HASH}): ${advice}.`,
    );
  }
  try {
    return hello.read(value, 'hello');
  } catch (error) {
    throw new ExecutorError(
      'bad-answer',
      `The executor's greeting can't be understood: ${(error as Error).message}.`,
    );
  }
}

function firstMessage(endpoint: Endpoint, address: ExecutorAddress, timeout: number): Promise<Buffer> {
  const { socket } = endpoint;
  const where = formatAddress(address);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(new ExecutorError('timeout', `No executor answered at ${where} within ${timeout / 1000} s.`)),
      timeout,
    );
    const finish = (error: Error | undefined, data?: Buffer) => {
      clearTimeout(timer);
      socket.off('message', onMessage).off('unexpected-response', onResponse).off('close', onClose);
      if (error !== undefined) reject(error);
      else resolve(data as Buffer);
    };
    const onMessage = (data: Buffer) => finish(undefined, data);
    const onResponse = (_request: unknown, response: { statusCode?: number }) => {
      const refused = `${where} refused the connection with HTTP status ${response.statusCode}`;
      finish(new ExecutorError('refused', `${refused}: is that a Cross JIT executor?`));
    };
    const onClose = (_code: number, reason: Buffer) => {
      const said = endpoint.complaint() || reason.toString();
      finish(
        new ExecutorError(
          'unreachable',
          `Can't reach an executor at ${where}${said === '' ? '.' : `: ${said}`}`,
        ),
      );
    };
    const onError = (error: NodeJS.ErrnoException) => {
      finish(error instanceof ExecutorError ? error : unreachable(where, error, endpoint.complaint()));
    };
    socket.on('message', onMessage).on('unexpected-response', onResponse).on('close', onClose);
    // Stays for good: an error after the handshake is told by 'close'.
    socket.on('error', onError);
  });
}

function unreachable(where: string, error: NodeJS.ErrnoException, complaint: string): ExecutorError {
  const why =
    error.code === 'ECONNREFUSED'
      ? 'nothing listens there; start it with: crossjit executor --listen HOST:PORT'
      : complaint || error.message;
  return new ExecutorError('unreachable', `Can't reach an executor at ${where}: ${why}.`);
}
