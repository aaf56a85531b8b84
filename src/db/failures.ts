import { FsError } from '../errors.ts';

const RETRY_AFTER_SECONDS = 1;
const UNIQUE = new Set(['23505', 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY']);
const CONFLICTS = new Set(['40001', '40P01']);
const FULL = new Set(['SQLITE_FULL', '53100']);
/** Connection lost or refused, server stopping or out of connections, a disk that fails, what took too long or was given up. */
const UNREACHABLE =
  /^(08...|57P0.|57014|53300|55P03|25P03|ECONN.*|ENOTFOUND|ETIMEDOUT|EPIPE|EAI_AGAIN|58030|SQLITE_(BUSY|CANTOPEN|IOERR|CORRUPT|ABORT).*)$/;
/** What pg says without a code. */
const LOST = /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error/;

/** True where a row with the same key exists already. */
export function isUniqueViolation(error: unknown): boolean {
  return UNIQUE.has(codeOf(error));
}

/** True where the database gave up a transaction that may well succeed when tried again. */
export function isTransactionConflict(error: unknown): boolean {
  return CONFLICTS.has(codeOf(error));
}

/** Passes a value on; turns what a person can act on into an `FsError` (with the original as its cause). @throws unavailable, quota_exceeded */
export async function translated<T>(outcome: Promise<T>): Promise<T> {
  try {
    return await outcome;
  } catch (error) {
    throw translate(error);
  }
}

function translate(error: unknown): unknown {
  if (error instanceof FsError) return error;
  const code = codeOf(error);
  if (UNREACHABLE.test(code) || LOST.test(error instanceof Error ? error.message : '')) {
    const detail = { retryAfterSeconds: RETRY_AFTER_SECONDS };
    return new FsError('unavailable', 'the metadata database does not answer; try again in a moment', detail, error);
  }
  if (FULL.has(code)) {
    return new FsError(
      'quota_exceeded',
      'the change was not recorded: the disk of the metadata database is full',
      {},
      error,
    );
  }
  return error;
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
