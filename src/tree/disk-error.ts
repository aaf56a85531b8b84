import { toFsError } from '../errors.ts';
import { display } from './path.ts';

/** True where the error is one of the kernel's with one of these codes (`ENOENT`, …). */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && codes.some((code) => code === error.code);
}

/** The promise's value, or null where it failed with one of these codes; anything else is thrown on. */
export async function orNull<T>(promise: Promise<T>, ...codes: readonly string[]): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (hasCode(error, ...codes)) return null;
    throw error;
  }
}

/** The kernel's errors as FsErrors about `path`; anything else as it is. */
export function diskError(error: unknown, path: string): unknown {
  return typeof error === 'object' && error !== null && 'syscall' in error ? toFsError(error, display(path)) : error;
}
