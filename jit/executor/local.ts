/** A local executor, started for one run: on loopback, with a token of its own, ending with this process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { type ExecutorAddress, parseAddress } from './address.ts';
import { ExecutorError } from './errors.ts';
import { newToken } from './token.ts';

export interface LocalExecutor extends AsyncDisposable {
  readonly address: ExecutorAddress;
  readonly token: string;
  readonly path: string;
  readonly pid: number;
}

const START_TIMEOUT = 10_000;

/** `path` is the built executor. Throws ExecutorError `no-executor`. */
export async function startLocalExecutor(path: string): Promise<LocalExecutor> {
  if (!existsSync(path)) {
    throw new ExecutorError(
      'no-executor',
      `There is no executor at ${path}: build it with: node executor/build.mjs`,
    );
  }
  const token = newToken();
  const child = spawn(path, ['--listen', '127.0.0.1:0', '--exit-with-parent'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, CROSSJIT_TOKEN: token },
  });
  const url = await listeningLine(child, path);
  // The executor must not keep this process alive, nor be kept from ending with it.
  child.unref();
  return {
    address: parseAddress(url),
    token,
    path,
    pid: child.pid as number,
    [Symbol.asyncDispose]: () => stop(child),
  };
}

function listeningLine(child: ChildProcess, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let complaint = '';
    const fail = (why: string) => {
      clearTimeout(timer);
      child.kill();
      reject(new ExecutorError('no-executor', `The executor ${path} could not be started: ${why}.`));
    };
    const timer = setTimeout(() => fail(`it said nothing within ${START_TIMEOUT / 1000} s`), START_TIMEOUT);
    child.stderr?.setEncoding('utf8').on('data', (data: string) => {
      complaint = (complaint + data).slice(-4096);
    });
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code, signal) =>
      fail(complaint.trim() || `it ended with ${signal ?? `status ${code}`}`),
    );
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once('line', (line) => {
      const url = /^listening on (ws:\/\/\S+)$/.exec(line)?.[1];
      if (url === undefined) return fail(`it said '${line}'`);
      clearTimeout(timer);
      child
        .removeAllListeners('exit')
        .removeAllListeners('error')
        .on('error', () => {});
      for (const stream of [child.stdout, child.stderr, child.stdin]) {
        stream?.on('error', () => {});
        (stream as unknown as { unref?(): void } | null)?.unref?.();
      }
      child.stdout?.resume();
      resolve(url);
    });
  });
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.ref();
    child.once('exit', () => resolve());
    child.stdin?.end();
    child.kill();
  });
}
