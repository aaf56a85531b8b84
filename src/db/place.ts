import { type Expression, type SqlBool, sql } from 'kysely';
import { belowRange } from './path-key.ts';

/**
 * Finding rows by where their path lies. A path may be too long for an index, so the indexes hold how its key begins, then its hash.
 */

const CHARACTERS = 200;

/** How the key of a path begins, where the index is over that expression. */
export const PLACE = sql<string>`substr(path, 1, 200)`;

/** The same of a known key. The database counts characters, not UTF-16 units. */
export function placeOf(key: string): string {
  return key.length <= CHARACTERS ? key : Array.from(key).slice(0, CHARACTERS).join('');
}

/** The exact condition, and what follows from it for the beginning of the path, which is what the index holds. */
export function atOrBelow(key: string, place: Expression<string> = PLACE): Expression<SqlBool> {
  const [first, end] = belowRange(key);
  const exact = sql<SqlBool>`(path = ${key} or (path >= ${first} and path < ${end}))`;
  return sql<SqlBool>`${exact} and ${place} >= ${textOf(placeOf(key))} and ${place} <= ${textOf(placeOf(end))}`;
}

/** What comes after this row in the order of the index. */
export function afterPlace(key: string, hash: string, place: Expression<string> = PLACE): Expression<SqlBool> {
  return sql<SqlBool>`(${place}, path_hash) > (${textOf(placeOf(key))}, ${hash})`;
}

function textOf(text: string) {
  return sql<string>`cast(${text} as text)`;
}
