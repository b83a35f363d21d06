/** Opens the byte stream to an executor, whatever the address: TCP, or the standard streams of an SSH command. */
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import WebSocket, { type ClientOptions } from 'ws';
import { type ExecutorAddress, formatAddress, WEBSOCKET_PATH } from './address.ts';
import { ExecutorError } from './errors.ts';

export interface Endpoint {
  readonly socket: WebSocket;
  /** What the transport's own program said on standard error (ssh), for error messages. */
  complaint(): string;
}

const OPTIONS: ClientOptions = {
  perMessageDeflate: false,
  maxPayload: 256 * 1024 * 1024,
  followRedirects: false,
};

/** `address` must not be `local`: a local executor is started first and has an address of its own. */
export function openEndpoint(address: ExecutorAddress, timeout: number): Endpoint {
  switch (address.kind) {
    case 'websocket': {
      const socket = new WebSocket(address.url, { ...OPTIONS, handshakeTimeout: timeout });
      return { socket, complaint: () => '' };
    }
    case 'ssh':
      return openSsh(address, timeout);
    case 'local':
      throw new ExecutorError('address', 'A local executor has to be started before it can be connected to.');
  }
}

const COMPLAINT_LIMIT = 4096;

function openSsh(address: ExecutorAddress & { kind: 'ssh' }, timeout: number): Endpoint {
  const destination = address.user === undefined ? address.host : `${address.user}@${address.host}`;
  const port = address.port === undefined ? [] : ['-p', String(address.port)];
  const command = `${shellQuote(address.command)} --stdio`;
  const child = spawn('ssh', ['-T', ...port, '--', destination, command], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (data: string) => {
    complaint = (complaint + data).slice(-COMPLAINT_LIMIT);
  });
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  child.on('error', (error: NodeJS.ErrnoException) => {
    const why =
      error.code === 'ENOENT' ? 'no ssh program was found: install the OpenSSH client' : error.message;
    stream.destroy(new ExecutorError('unreachable', `Can't reach ${formatAddress(address)}: ${why}.`));
  });
  stream.on('close', () => child.kill());
  const socket = new WebSocket(`ws://executor${WEBSOCKET_PATH}`, {
    ...OPTIONS,
    handshakeTimeout: timeout,
    createConnection: () => Object.assign(stream, socketMethods(stream)) as never,
  });
  return { socket, complaint: () => complaint.trim() };
}

/** What `ws` and `http` call on a TCP socket and a plain stream doesn't have. */
function socketMethods(stream: Duplex): object {
  return {
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    setTimeout: () => stream,
    ref: () => stream,
    unref: () => stream,
  };
}

/** One word for the device's shell. */
function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
