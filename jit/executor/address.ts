/** Where an executor is, as users write it. */
import { ExecutorError } from './errors.ts';

export type ExecutorAddress =
  | { readonly kind: 'local' }
  | { readonly kind: 'websocket'; readonly url: string }
  | {
      readonly kind: 'ssh';
      readonly user: string | undefined;
      readonly host: string;
      readonly port: number | undefined;
      /** Path of the executor on the device. */
      readonly command: string;
    };

export const WEBSOCKET_PATH = '/crossjit';
export const DEFAULT_SSH_COMMAND = 'crossjit-executor';

/**
 * `local`, `HOST:PORT`, `ws://…`, `wss://…` or `ssh://[USER@]HOST[:PORT][/PATH/TO/EXECUTOR]`.
 * Throws ExecutorError `address`.
 */
export function parseAddress(text: string): ExecutorAddress {
  if (text === '' || text === 'local') return { kind: 'local' };
  const bare = !/^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  let url: URL;
  try {
    url = new URL(bare ? `ws://${text}` : text);
  } catch {
    throw badAddress(text);
  }
  if (url.hostname === '') throw badAddress(text);
  if (url.protocol === 'ssh:') {
    // A host that begins with a dash would be taken by ssh as an option.
    if (url.hostname.startsWith('-') || url.username.startsWith('-')) throw badAddress(text);
    return {
      kind: 'ssh',
      user: url.username === '' ? undefined : decodeURIComponent(url.username),
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? undefined : Number(url.port),
      command: url.pathname.length > 1 ? decodeURIComponent(url.pathname) : DEFAULT_SSH_COMMAND,
    };
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw badAddress(text);
  if (bare && url.port === '' && !/:80$/.test(text)) throw badAddress(text);
  if (url.pathname === '/' || url.pathname === '') url.pathname = WEBSOCKET_PATH;
  return { kind: 'websocket', url: url.href };
}

export function formatAddress(address: ExecutorAddress): string {
  switch (address.kind) {
    case 'local':
      return 'local';
    case 'websocket':
      return address.url.replace(new RegExp(`${WEBSOCKET_PATH}$`), '');
    case 'ssh': {
      const user = address.user === undefined ? '' : `${address.user}@`;
      return `ssh://${user}${address.host}${address.port === undefined ? '' : `:${address.port}`}`;
    }
  }
}

function badAddress(text: string): ExecutorError {
  return new ExecutorError(
    'address',
    `'${text}' is not an executor address: use HOST:PORT, ws://HOST:PORT, wss://HOST, ssh://USER@HOST or local.`,
  );
}
