/** Challenge and response with the shared token: PROTOCOL.md, "Handshake". HMAC-SHA-256 (RFC 2104). */
import { createHmac, timingSafeEqual } from 'node:crypto';

export const NONCE_BYTES = 32;

export interface Nonces {
  readonly executor: Uint8Array;
  readonly client: Uint8Array;
}

export function clientProof(token: string, nonces: Nonces): Uint8Array {
  return createHmac('sha256', token)
    .update('crossjit client')
    .update(nonces.executor)
    .update(nonces.client)
    .digest();
}

export function executorProof(token: string, nonces: Nonces): Uint8Array {
  return createHmac('sha256', token)
    .update('crossjit executor')
    .update(nonces.client)
    .update(nonces.executor)
    .digest();
}

export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
