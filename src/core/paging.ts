import { FsError } from '../errors.ts';
import type { PageOf } from './core.ts';

/** The key a page begins after, from the text that `pageOf` gave out. @throws invalid_request */
export function decodeCursor(cursor: string | null): string | null {
  if (cursor === null) return null;
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (key === '' || encodeCursor(key) !== cursor) throw strangeCursor();
  return key;
}

/** The error for a cursor that is not of this list. */
export function strangeCursor(): FsError {
  return new FsError('invalid_request', 'the cursor is not one that an earlier page gave; begin without one');
}

/** A page of at most `limit` items, out of one more that were asked for where there are as many. */
export function pageOf<T>(found: readonly T[], limit: number, keyOf: (item: T) => string): PageOf<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next: found.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
}

function encodeCursor(key: string): string {
  return Buffer.from(key).toString('base64url');
}
