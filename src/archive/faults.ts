import { FsError } from '../errors.ts';

/** What is said of an archive that cannot be read; `what` tells where it fails, and goes out as it is. */
export function damaged(what: string, cause?: unknown): FsError {
  return new FsError('invalid_request', `the archive cannot be read: ${what}`, {}, cause);
}

/** The fault of a library or of zlib as the archive's own; a failing disk, an abort or a bug stays what it is. */
export function asDamage(error: unknown): unknown {
  if (error instanceof FsError) return error;
  const { code, message } = Object(error) as Partial<Error & { code: unknown }>;
  if (typeof code === 'string') {
    if (!/^(Z_|ZSTD_|ERR_ZSTD)/.test(code)) return error;
    return damaged(`its compressed data are damaged or cut off (${message})`, error);
  }
  // yauzl throws plain errors without a code. A TypeError is a bug of ours.
  return Object(error).constructor === Error ? damaged(String(message), error) : error;
}
