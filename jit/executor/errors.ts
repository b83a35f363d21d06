/** Everything that can go wrong between host and executor. `message` is a sentence for the user. */

import type { errorCodes } from './protocol.ts';

export type ExecutorErrorCode =
  | (typeof errorCodes)[number]
  | 'address'
  | 'unreachable'
  | 'refused'
  | 'lost'
  | 'timeout'
  | 'version'
  | 'no-token'
  | 'no-executor'
  | 'bad-answer';

export class ExecutorError extends Error {
  readonly code: ExecutorErrorCode;
  /** What the executor added to the failure, for instance the missing hashes. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ExecutorErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = 'ExecutorError';
    this.code = code;
    this.details = details;
  }
}
