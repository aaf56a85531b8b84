import type { Database, TextRow } from './schema.ts';
import { inTransaction } from './transaction.ts';

/** A content, read as a document of one format by one version of the reading. */
export type TextKey = Pick<TextRow, 'tenant' | 'sha256' | 'format' | 'version'>;
/** What the reading said. */
export type KeptText = Pick<TextRow, 'text' | 'reason' | 'read_at'>;

/** What this version of the reading said of the content; null where it was not asked yet. */
export async function findText(db: Database, { tenant, sha256, format, version }: TextKey): Promise<KeptText | null> {
  const row = db
    .selectFrom('texts')
    .select(['text', 'reason', 'read_at'])
    .where('tenant', '=', tenant)
    .where('sha256', '=', sha256)
    .where('format', '=', format)
    .where('version', '=', version);
  return (await row.executeTakeFirst()) ?? null;
}

/** Keeps what the reading said in place of what an earlier one did. Does nothing where no object has the content any more. */
export async function keepText(db: Database, key: TextKey, kept: KeptText): Promise<void> {
  const { tenant, sha256 } = key;
  await inTransaction(db, async (tx) => {
    // Locks the content's row: whoever removes it comes before this, or after it and takes the text along.
    const content = tx.updateTable('contents').set(({ ref }) => ({ refs: ref('refs') }));
    const { numUpdatedRows } = await content
      .where('tenant', '=', tenant)
      .where('sha256', '=', sha256)
      .where('refs', '>', 0)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return;
    const { version } = key;
    await tx
      .insertInto('texts')
      .values({ ...key, ...kept })
      .onConflict((conflict) => conflict.columns(['tenant', 'sha256', 'format']).doUpdateSet({ version, ...kept }))
      .execute();
  });
}

/** Forgets what is known of the text of a content. */
export async function removeTexts(db: Database, { tenant, sha256 }: Pick<TextKey, 'tenant' | 'sha256'>): Promise<void> {
  await db.deleteFrom('texts').where('tenant', '=', tenant).where('sha256', '=', sha256).execute();
}
