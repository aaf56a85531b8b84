import { type ErrorCode, FsError } from '../errors.ts';
import { display } from '../tree/path.ts';
import type { Dialect } from './dialect.ts';

/** The one table of statuses. A dialect may give another number for a call, by `Dialect.statuses`. */
export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_request: 400,
  invalid_path: 400,
  is_directory: 400,
  not_directory: 400,
  not_empty: 409,
  unauthenticated: 401,
  method_not_allowed: 405,
  forbidden: 403,
  expired: 403,
  symlink: 403,
  special_file: 403,
  unreadable: 403,
  not_found: 404,
  exists: 409,
  conflict: 409,
  run_live: 409,
  pending_upload: 409,
  precondition_failed: 412,
  // The number that the tus protocol has for it.
  checksum_mismatch: 460,
  too_large: 413,
  unsupported: 415,
  range_not_satisfiable: 416,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
  quota_exceeded: 507,
};

const TITLE: Readonly<Record<ErrorCode, string>> = {
  invalid_request: 'Invalid request',
  invalid_path: 'Invalid path',
  is_directory: 'Is a directory',
  not_directory: 'Not a directory',
  not_empty: 'Directory not empty',
  unauthenticated: 'Not authenticated',
  method_not_allowed: 'Method not allowed',
  forbidden: 'Forbidden',
  expired: 'Link expired',
  symlink: 'Symbolic link',
  special_file: 'Special file',
  unreadable: 'Unreadable',
  not_found: 'Not found',
  exists: 'Already exists',
  conflict: 'Conflict',
  run_live: 'A run is live',
  pending_upload: 'Upload pending',
  precondition_failed: 'Precondition failed',
  checksum_mismatch: 'Checksum mismatch',
  too_large: 'Too large',
  unsupported: 'Unsupported media type',
  range_not_satisfiable: 'Range not satisfiable',
  rate_limited: 'Too many requests',
  internal: 'Internal error',
  unavailable: 'Unavailable',
  quota_exceeded: 'Quota exceeded',
};

/** What goes over the wire for one error: a status, headers in lower case, and a JSON body. */
export interface ErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** The RFC 9457 body of an error. `error` repeats `detail` for clients that look there. */
export function problemOf(error: FsError, status: number): Readonly<Record<string, unknown>> {
  const { path, used, limit, requested, unit, occurrences, edit } = error.detail;
  const sentence = display(error.message);
  return {
    type: `urn:workspaced:problem:${error.code}`,
    title: TITLE[error.code],
    status,
    detail: sentence,
    code: error.code,
    error: sentence,
    ...(path === undefined ? {} : { path: display(path) }),
    ...(used === undefined ? {} : { used }),
    ...(limit === undefined ? {} : { limit }),
    ...(requested === undefined ? {} : { requested }),
    ...(unit === undefined ? {} : { unit }),
    ...(occurrences === undefined ? {} : { occurrences }),
    ...(edit === undefined ? {} : { edit }),
  };
}

/** The answer to an error: the dialect's status and shape where it has its own, the contract's otherwise. */
export function errorReply(error: FsError, dialect: Dialect | null, route: string | null): ErrorReply {
  const own = route === null ? undefined : dialect?.statuses?.(route)?.[error.code];
  const status = own ?? HTTP_STATUS[error.code];
  const headers: Record<string, string> = { 'cache-control': 'no-store', ...dialect?.errorHeaders };
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  const retryAfter = error.detail.retryAfterSeconds;
  if (retryAfter !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfter)));
  if (dialect?.errorBody !== undefined) {
    headers['content-type'] = 'application/json; charset=utf-8';
    return { status, headers, body: dialect.errorBody(error) };
  }
  headers['content-type'] = 'application/problem+json; charset=utf-8';
  return { status, headers, body: problemOf(error, status) };
}

/** The error for a body whose client went away or sent less than it declared. */
export function cutOff(): FsError {
  return new FsError('invalid_request', 'the connection ended before the whole body had arrived; send it again');
}
