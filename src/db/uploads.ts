import { sql } from 'kysely';
import { FsError } from '../errors.ts';
import { addReference, dropReference, type ReleasedContent } from './contents.ts';
import { fromPathKey, pathKey } from './path-key.ts';
import type { Database, UploadRow } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { AccountKey } from './usage.ts';

/** True while something of this id still waits for bytes or its place: an upload, or a pending object. */
export async function isUploadOpen(db: Database, id: string): Promise<boolean> {
  const row = await db
    .selectFrom('uploads')
    .select('id')
    .where('id', '=', id)
    .where('status', '<>', 'done')
    .unionAll(db.selectFrom('objects').select('id').where('id', '=', id).where('status', '=', 'pending_upload'))
    .executeTakeFirst();
  return row !== undefined;
}

/** Paths go in and come out as on disk. */
export async function insertUpload(db: Database, row: UploadRow): Promise<void> {
  await db
    .insertInto('uploads')
    .values({ ...row, path: row.path === null ? null : pathKey(row.path) })
    .execute();
}

/** null where the tenant has none of this id. */
export async function findUpload(db: Database, tenant: string, id: string): Promise<UploadRow | null> {
  const found = db.selectFrom('uploads').selectAll().where('id', '=', id).where('tenant', '=', tenant);
  const row = await found.executeTakeFirst();
  return row === undefined ? null : fromRow(row);
}

/** How many of the tenant's uploads have not finished. */
export async function countOpenUploads(db: Database, tenant: string): Promise<number> {
  const open = db.selectFrom('uploads').where('tenant', '=', tenant).where(sql<boolean>`status <> 'done'`);
  return (await open.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow()).count;
}

/** What is known of an upload after a step. False where it is gone, or finished: then nothing changes any more. */
export async function updateUpload(
  db: Database,
  id: string,
  changes: Partial<Pick<UploadRow, 'received' | 'status' | 'expires_at' | 'settle_at'>>,
): Promise<boolean> {
  const updated = db.updateTable('uploads').set(changes).where('id', '=', id).where(sql<boolean>`status <> 'done'`);
  return (await updated.executeTakeFirst()).numUpdatedRows > 0n;
}

/**
 * From here on a whole upload refers to this content of its tenant, so that nobody removes it before the object refers to it.
 * @throws unavailable where another went on with the upload meanwhile; nothing changed then
 */
export async function beginPlacing(db: Database, { id, tenant, length }: UploadRow, sha256: string): Promise<void> {
  await inTransaction(db, async (tx) => {
    const whole = tx.updateTable('uploads').set({ status: 'placing', sha256 }).where('id', '=', id);
    if ((await whole.where('status', '=', 'whole').executeTakeFirst()).numUpdatedRows === 0n) throw overtaken();
    await addReference(tx, { tenant, sha256, size: length });
  });
}

/** The object is there and refers to the content itself. @throws unavailable where another made one meanwhile; nothing changed then */
export async function endPlacing(db: Database, { id, tenant, sha256 }: UploadRow, objectId: string): Promise<void> {
  await inTransaction(db, async (tx) => {
    const kept = { status: 'kept', sha256: null, object_id: objectId } as const;
    const placing = tx.updateTable('uploads').set(kept).where('id', '=', id).where('status', '=', 'placing');
    if ((await placing.executeTakeFirst()).numUpdatedRows === 0n) throw overtaken();
    if (sha256 !== null) await dropReference(tx, { tenant, sha256 });
  });
}

/** Forgets an upload. Returns the content it referred to, or null. */
export async function deleteUpload(db: Database, id: string): Promise<ReleasedContent | null> {
  return inTransaction(db, async (tx) => {
    const deleted = tx.deleteFrom('uploads').where('id', '=', id).returning(['tenant', 'sha256']);
    const row = await deleted.executeTakeFirst();
    if (row === undefined || row.sha256 === null) return null;
    return dropReference(tx, { tenant: row.tenant, sha256: row.sha256 });
  });
}

/** Says that somebody waits for this upload. */
export async function wantUpload(db: Database, id: string): Promise<void> {
  await db.updateTable('uploads').set({ wanted: 1 }).where('id', '=', id).execute();
}

/** True where somebody said so since this was asked last. */
export async function takeWanted(db: Database, id: string): Promise<boolean> {
  const wanted = db.updateTable('uploads').set({ wanted: 0 }).where('id', '=', id).where('wanted', '=', 1);
  return (await wanted.executeTakeFirst()).numUpdatedRows > 0n;
}

/** Uploads, of any tenant, that are whole and that nobody has put in place until now. */
export async function uploadsToSettle(db: Database, now: number, limit: number): Promise<readonly UploadRow[]> {
  const due = db.selectFrom('uploads').selectAll().where('settle_at', '<=', now);
  return (await due.orderBy('settle_at').limit(limit).execute()).map(fromRow);
}

/** Uploads, of any tenant, whose time is over. */
export async function expiredUploads(db: Database, now: number, limit: number): Promise<readonly UploadRow[]> {
  const over = db.selectFrom('uploads').selectAll().where('expires_at', '<=', now);
  return (await over.orderBy('expires_at').limit(limit).execute()).map(fromRow);
}

/** Forgets the uploads of a part that is being removed; their bytes and room go with it. */
export async function removeUploadsOf(db: Database, { tenant, part }: AccountKey): Promise<void> {
  await db.deleteFrom('uploads').where('tenant', '=', tenant).where('part', '=', part).execute();
}

function overtaken(): FsError {
  return new FsError('unavailable', 'another process went on with this upload meanwhile; ask where it stands', {
    retryAfterSeconds: 1,
  });
}

function fromRow(row: UploadRow): UploadRow {
  return row.path === null ? row : { ...row, path: fromPathKey(row.path) };
}
