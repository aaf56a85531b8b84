/**
 * The one error type of the program. Every code is part of the wire contract and never changes its meaning;
 * HTTP statuses are chosen elsewhere (`http/errors.ts`).
 */

export const ERROR_CODES = [
  'invalid_request',
  'invalid_path',
  'is_directory',
  'not_directory',
  'not_empty',
  'unauthenticated',
  'method_not_allowed',
  'forbidden',
  'expired',
  'symlink',
  'special_file',
  'unreadable',
  'not_found',
  'exists',
  'conflict',
  'run_live',
  'pending_upload',
  'precondition_failed',
  'checksum_mismatch',
  'too_large',
  'unsupported',
  'range_not_satisfiable',
  'rate_limited',
  'internal',
  'unavailable',
  'quota_exceeded',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** Facts a client can act on. They go out in the response, so never a host path, SQL or a stack. */
export interface ErrorDetail {
  /** The path, id or name the error is about, as the client wrote it. */
  readonly path?: string;
  /** Bytes (or files, when `unit` says so) held by the account that refused. */
  readonly used?: number;
  readonly limit?: number;
  readonly requested?: number;
  readonly unit?: 'bytes' | 'files';
  /** Of a text that was to be replaced: how often it occurs. */
  readonly occurrences?: number;
  /** Of several edits: which one the error is about, from 0. */
  readonly edit?: number;
  /** Seconds after which trying again makes sense; becomes `Retry-After`. */
  readonly retryAfterSeconds?: number;
}

export class FsError extends Error {
  override readonly name = 'FsError';
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  /** @param message one sentence for the person at the other end: what happened, to what, what to do. */
  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.detail = detail;
  }
}

const BY_ERRNO: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ['not_found', 'does not exist'],
  ENOTDIR: ['not_directory', 'is not a directory'],
  EISDIR: ['is_directory', 'is a directory'],
  EEXIST: ['exists', 'exists already'],
  ENOTEMPTY: ['not_empty', 'is a directory that is not empty'],
  ELOOP: ['symlink', 'is a symbolic link, and links are never followed'],
  ENAMETOOLONG: ['invalid_path', 'is longer than the disk allows'],
  EACCES: ['unreadable', 'may not be accessed by the daemon: its owner or mode forbids it'],
  EPERM: ['unreadable', 'may not be accessed by the daemon: its owner or mode forbids it'],
  ENXIO: ['special_file', 'is a socket, device or pipe, and those are never opened'],
  ENODEV: ['special_file', 'is a socket, device or pipe, and those are never opened'],
  ENOSPC: ['quota_exceeded', 'could not be written: the disk is full'],
  EDQUOT: ['quota_exceeded', 'could not be written: the disk quota is used up'],
  EMFILE: ['unavailable', 'could not be opened: the daemon has too many open files, try again'],
  ENFILE: ['unavailable', 'could not be opened: the machine has too many open files, try again'],
};

// Node has no name for EDQUOT: it arrives as "Unknown system error -122".
const EDQUOT = -122;

/**
 * Turns anything thrown into an `FsError`. `subject` names the thing in the sentence (a tree path, never a host path).
 * What is not understood becomes `internal` with the original as its cause and nothing of it in the message.
 */
export function toFsError(error: unknown, subject?: string): FsError {
  if (error instanceof FsError) return error;
  const { code, errno } = (error ?? {}) as { code?: unknown; errno?: unknown };
  const known = BY_ERRNO[errno === EDQUOT ? 'EDQUOT' : typeof code === 'string' ? code : ''];
  if (known === undefined) {
    return new FsError('internal', 'the daemon failed on this request; its log has the cause', {}, error);
  }
  const [mapped, words] = known;
  const named = subject === undefined || subject === '' ? 'the path' : subject;
  return new FsError(mapped, `${named} ${words}`, subject === undefined ? {} : { path: subject }, error);
}
