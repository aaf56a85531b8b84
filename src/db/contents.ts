import { sql } from 'kysely';
import type { Database } from './schema.ts';
import { removeTexts } from './texts.ts';
import { inTransaction } from './transaction.ts';

/** One content of a tenant, kept once however many objects have it. */
export interface ContentKey {
  readonly tenant: string;
  readonly sha256: string;
}

/** A content that an object has let go. */
export interface ReleasedContent {
  readonly sha256: string;
  readonly size: number;
  /** True when no object has it any more: its bytes may go, by way of `removeOrphan`. */
  readonly orphaned: boolean;
}

/** One object more has this content. */
export async function addReference(db: Database, content: ContentKey & { readonly size: number }): Promise<void> {
  const { tenant, sha256, size } = content;
  await db
    .insertInto('contents')
    .values({ tenant, sha256, size, refs: 1 })
    .onConflict((conflict) =>
      conflict.columns(['tenant', 'sha256']).doUpdateSet(({ eb }) => ({ refs: eb('contents.refs', '+', 1) })),
    )
    .execute();
}

/** One object fewer has this content. */
export async function dropReference(db: Database, { tenant, sha256 }: ContentKey): Promise<ReleasedContent | null> {
  const row = await db
    .updateTable('contents')
    .set({ refs: sql<number>`case when refs > 0 then refs - 1 else 0 end` })
    .where('tenant', '=', tenant)
    .where('sha256', '=', sha256)
    .returning(['size', 'refs'])
    .executeTakeFirst();
  return row === undefined ? null : { sha256, size: row.size, orphaned: row.refs === 0 };
}

/** Contents that no object has, of any tenant. */
export async function listOrphans(db: Database, limit: number): Promise<readonly ContentKey[]> {
  const orphans = db.selectFrom('contents').select(['tenant', 'sha256']).where(sql<boolean>`refs = 0`);
  return orphans.orderBy('tenant').limit(limit).execute();
}

/** Forgets the content, and what is known of its text, if still no object has it. True then: the caller removes the bytes, under the content's path lock. */
export async function removeOrphan(db: Database, { tenant, sha256 }: ContentKey): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    const content = tx.deleteFrom('contents').where('tenant', '=', tenant).where('sha256', '=', sha256);
    const { numDeletedRows } = await content.where(sql<boolean>`refs = 0`).executeTakeFirst();
    // After the content's row, as keepText locks them: so no text comes in between.
    if (numDeletedRows > 0n) await removeTexts(tx, { tenant, sha256 });
    return numDeletedRows > 0n;
  });
}

/** True where at least one object of the tenant has the content. */
export async function isReferenced(db: Database, { tenant, sha256 }: ContentKey): Promise<boolean> {
  const content = db.selectFrom('contents').select('refs').where('tenant', '=', tenant).where('sha256', '=', sha256);
  return ((await content.executeTakeFirst())?.refs ?? 0) > 0;
}
