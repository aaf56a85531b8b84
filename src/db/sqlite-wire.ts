/** What crosses between the event loop and a SQLite thread. Everything here survives a structured clone. */

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** `run` is a statement of its own; the others belong to the transaction `tx`. `begin` gets no reply: what follows it does. */
export type WriteRequest =
  | ({ readonly kind: 'run'; readonly id: number } & Statement)
  | { readonly kind: 'begin'; readonly id: number; readonly tx: number }
  | ({ readonly kind: 'step'; readonly id: number; readonly tx: number } & Statement)
  | { readonly kind: 'commit'; readonly id: number; readonly tx: number }
  | { readonly kind: 'rollback'; readonly id: number; readonly tx: number };

export type Request =
  | WriteRequest
  | { readonly kind: 'stats'; readonly id: number }
  | { readonly kind: 'close'; readonly id: number };

export interface Result {
  readonly rows: unknown[];
  /** Rows changed, where the statement changes any. */
  readonly changes?: number;
}

export interface Reply {
  readonly id: number;
  readonly result?: Result;
  readonly error?: WireError;
}

export interface WireError {
  readonly message: string;
  readonly code: string;
}

/** The path of a database that lives as long as its thread. */
export const MEMORY = ':memory:';

/** What a thread is told at its start. */
export interface ThreadData {
  /** A file, or `MEMORY`. */
  readonly path: string;
  readonly role: 'writer' | 'reader';
  readonly durability: 'fsync' | 'none';
  readonly busyTimeoutMs: number;
  readonly idleTransactionMs: number;
}

/** Counted since the opening. Far fewer commits than jobs is what grouping is for. */
export interface WriterStats {
  /** COMMITs sent to SQLite: each is at most one flush of the log. */
  readonly commits: number;
  /** Transactions and single statements that were reported done. */
  readonly jobs: number;
}

export function toWireError(error: unknown): WireError {
  const { message, code } = (error ?? {}) as { message?: unknown; code?: unknown };
  return { message: String(message ?? error), code: typeof code === 'string' ? code : 'SQLITE_ERROR' };
}
