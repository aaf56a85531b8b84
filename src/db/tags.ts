import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { fromPathKey, keyHash, pathKey } from './path-key.ts';
import { afterPlace, atOrBelow, placeOf } from './place.ts';
import type { Database } from './schema.ts';
import type { AccountKey } from './usage.ts';

/** Which paths have which tag: rows that come and go with those of `attributes`, in the same transactions. */

const ROWS_A_STATEMENT = 1000;
const PLACE = sql.ref<string>('place');

/** A path and what is said of it, as `attributes` has it. */
export interface TaggedRow {
  readonly path_hash: string;
  readonly path: string;
  /** JSON text: an array of words. */
  readonly tags: string;
}

/** Enters the tags of rows of `attributes` that have none here yet. */
export async function enterTags(tx: Database, { tenant, part }: AccountKey, rows: readonly TaggedRow[]): Promise<void> {
  const all = rows.flatMap(({ path_hash, path, tags }) => {
    // Written by putAttributes and by nobody else.
    const words = new Set(JSON.parse(tags) as readonly string[]);
    const place = placeOf(path);
    return [...words].map((tag) => ({ tag_hash: tagHash(tag), tenant, part, place, path_hash, path }));
  });
  for (let from = 0; from < all.length; from += ROWS_A_STATEMENT) {
    await tx
      .insertInto('tags')
      .values(all.slice(from, from + ROWS_A_STATEMENT))
      .execute();
  }
}

/** Forgets the tags of these paths, by their hashes. */
export async function forgetTags(tx: Database, { tenant, part }: AccountKey, hashes: readonly string[]): Promise<void> {
  const all = tx.deleteFrom('tags').where('tenant', '=', tenant).where('part', '=', part);
  await all.where('path_hash', 'in', hashes).execute();
}

export interface TagQuestion {
  /** At least one; a path must have them all. */
  readonly tags: readonly string[];
  /** Itself or what is below it; the root is everything. */
  readonly within: string;
  /** Only what comes after this path in the order of the answer, or null. */
  readonly after: string | null;
  readonly limit: number;
}

/** The paths that have all of these tags, in an order that stays as it is while others come and go. */
export async function pathsTagged(db: Database, of: AccountKey, question: TagQuestion): Promise<readonly string[]> {
  const [first = '', ...others] = question.tags.map(tagHash);
  let query = db.selectFrom('tags').select('path').where('tenant', '=', of.tenant).where('part', '=', of.part);
  query = query.where('tag_hash', '=', first).where(atOrBelow(pathKey(question.within), PLACE));
  for (const other of others) {
    // Counted, because PostgreSQL makes a join of `exists`, and without statistics one that compares all with all.
    query = query.where(
      ({ selectFrom, fn, ref }) =>
        selectFrom('tags as other')
          .select(fn.countAll<number>().as('found'))
          .where('other.tag_hash', '=', other)
          .where('other.tenant', '=', of.tenant)
          .where('other.part', '=', of.part)
          .where('other.place', '=', ref('tags.place'))
          .where('other.path_hash', '=', ref('tags.path_hash')),
      '=',
      1,
    );
  }
  if (question.after !== null) {
    const key = pathKey(question.after);
    query = query.where(afterPlace(key, keyHash(key), PLACE));
  }
  const rows = await query.orderBy('place').orderBy('path_hash').limit(question.limit).execute();
  return rows.map(({ path }) => fromPathKey(path));
}

/** A tag may be any text, of any length and with NUL or half a surrogate pair in it, which no column takes: JSON does. */
function tagHash(tag: string): string {
  return createHash('sha256').update(JSON.stringify(tag)).digest('base64url');
}
