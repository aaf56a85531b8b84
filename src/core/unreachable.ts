import { FsError } from '../errors.ts';

/**
 * For the `catch` of a look at a path: null where the error says that nothing can be had there (it is gone, unreadable, a link
 * stands on the way, …). @throws the error where it says nothing of the path: unavailable, internal
 */
export function nullIfUnreachable(error: unknown): null {
  if (error instanceof FsError && error.code !== 'unavailable' && error.code !== 'internal') return null;
  throw error;
}
