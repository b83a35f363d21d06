/** The messages of executor/PROTOCOL.md, as types and as checks. A test compares this file with that page. */
import { bytes, type Infer, integer, list, optional, record, text, unsigned } from './schema.ts';

export const PROTOCOL_VERSION = 1;
/** First 16 hexadecimal digits of the SHA-256 of the page's schema block. */
export const PROTOCOL_HASH = 'bfaa781b5d65f654';

export const hello = record({
  version: unsigned,
  hash: text,
  executor: text,
  nonce: bytes,
  authentication: text,
  limits: record({ message: unsigned, sessions: unsigned, pieceCache: unsigned }),
});

export const target = record({
  architecture: text,
  libc: text,
  pageSize: unsigned,
  pointerSize: unsigned,
  kernel: text,
  cpu: text,
  features: text,
  memory: unsigned,
  debugging: text,
});

/** What each request is answered with. */
export const results = {
  authenticate: record({ proof: bytes }),
  open: record({
    session: unsigned,
    secret: bytes,
    pid: unsigned,
    target,
    slab: record({ address: unsigned, size: unsigned, code: unsigned }),
    staticTls: record({ offset: integer, size: unsigned }),
    held: list(bytes),
  }),
  lookup: record({
    libraries: list(record({ name: text, error: optional(text) })),
    addresses: list(unsigned),
    kinds: list(unsigned),
  }),
  commit: record({ stored: unsigned }),
  resume: record({ running: unsigned, stdoutLost: unsigned, stderrLost: unsigned, target }),
  input: record({}),
  resize: record({}),
  signal: record({}),
  read: record({ ranges: list(bytes) }),
  describe: record({
    places: list(record({ module: text, base: unsigned, symbol: optional(text), symbolAddress: unsigned })),
  }),
  modules: record({
    modules: list(
      record({
        name: text,
        base: unsigned,
        size: unsigned,
        frameHeader: unsigned,
        frameHeaderSize: unsigned,
      }),
    ),
  }),
  release: record({}),
  close: record({}),
} as const;

export type RequestType = keyof typeof results;
export type Result<T extends RequestType> = Infer<(typeof results)[T]>;

/** What each request carries. */
export interface Requests {
  authenticate: { nonce: Uint8Array; proof: Uint8Array };
  open: {
    slab: { size: number; code: number };
    arguments: readonly string[];
    environment?: readonly (readonly [string, string])[];
    directory?: string;
    terminal?: { rows: number; columns: number; type: string };
    grace?: number;
  };
  lookup: {
    libraries: readonly { name: string; fallback: 0 | 1 }[];
    names: readonly { name: string; weak: 0 | 1 }[];
  };
  commit: {
    segments: readonly CommitSegment[];
    tls?: {
      mode: 'static' | 'dynamic';
      address: number;
      fileSize: number;
      memorySize: number;
      alignment: number;
      offset: number;
    };
    frames?: { address: number; size: number };
    registerFrames?: number;
    deregisterFrames?: number;
    run?: {
      entry: number;
      preInitializers: readonly number[];
      initializers: readonly number[];
      finalizers: readonly number[];
    };
  };
  resume: { session: number; secret: Uint8Array; stdout: number; stderr: number };
  input: { bytes: Uint8Array; end?: 0 | 1 };
  resize: { rows: number; columns: number };
  signal: { number: number };
  read: { ranges: readonly { address: number; size: number }[] };
  describe: { addresses: readonly number[] };
  modules: Record<never, never>;
  release: Record<never, never>;
  close: Record<never, never>;
}

export interface CommitSegment {
  readonly address: number;
  readonly size: number;
  readonly protection: 'rx' | 'r' | 'rw';
  readonly pieces: readonly {
    readonly offset: number;
    readonly hash: Uint8Array;
    readonly size: number;
    readonly bytes?: Uint8Array;
  }[];
}

export const events = {
  started: record({ session: unsigned }),
  output: record({ stream: unsigned, offset: unsigned, bytes }),
  crashed: record({
    signal: unsigned,
    code: integer,
    address: unsigned,
    thread: unsigned,
    registers: bytes,
    stackAddress: unsigned,
    stack: bytes,
  }),
  exited: record({
    code: optional(unsigned),
    signal: optional(unsigned),
    stdout: unsigned,
    stderr: unsigned,
  }),
} as const;

export type Hello = Infer<typeof hello>;
export type TargetFacts = Infer<typeof target>;
export type EventType = keyof typeof events;
export type ExecutorEvent = { [T in EventType]: { readonly type: T } & Infer<(typeof events)[T]> }[EventType];
export type Crash = Infer<typeof events.crashed>;
export type Opened = Result<'open'>;

/** Codes the executor answers with; PROTOCOL.md, "Errors". */
export const errorCodes = [
  'authentication',
  'protocol',
  'limit',
  'no-session',
  'busy',
  'no-memory',
  'no-directory',
  'no-terminal',
  'spawn',
  'bad-segment',
  'missing-piece',
  'hash-mismatch',
  'already-running',
  'closed',
  'target-lost',
] as const;
