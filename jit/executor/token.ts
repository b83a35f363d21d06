/** The token that host and executor share. It is read from a file or the environment, never from arguments. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ExecutorError } from './errors.ts';

export function defaultTokenFile(environment: NodeJS.ProcessEnv = process.env): string {
  const config = environment.XDG_CONFIG_HOME || join(homedir(), '.config');
  return join(config, 'crossjit', 'token');
}

/** The token given by file or environment, or undefined where there is none. */
export function findToken(
  file: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  if (file !== undefined) return readToken(file, true);
  if (environment.CROSSJIT_TOKEN) return environment.CROSSJIT_TOKEN;
  return readToken(defaultTokenFile(environment), false);
}

/** The user's own token file, made on first use, readable by nobody else. */
export function ensureTokenFile(environment: NodeJS.ProcessEnv = process.env): string {
  const file = defaultTokenFile(environment);
  if (readToken(file, false) === undefined) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    try {
      writeFileSync(file, `${newToken()}\n`, { mode: 0o600, flag: 'wx' });
    } catch (error) {
      // Another process made it at the same moment: its token is as good.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  return file;
}

export function newToken(): string {
  return randomBytes(32).toString('hex');
}

function readToken(file: string, required: boolean): string | undefined {
  let token: string;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (!required && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ExecutorError('no-token', `The token file ${file} can't be read: ${(error as Error).message}.`);
  }
  if (token === '')
    throw new ExecutorError(
      'no-token',
      `The token file ${file} is empty: write the executor's token into it.`,
    );
  return token;
}
