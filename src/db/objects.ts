import { sql } from 'kysely';
import { FsError } from '../errors.ts';
import { addReference, dropReference, type ReleasedContent } from './contents.ts';
import { isUniqueViolation } from './failures.ts';
import { fromPathKey, pathKey } from './path-key.ts';
import type { Database, ObjectRow } from './schema.ts';
import { inTransaction } from './transaction.ts';

/** Content as an object takes it on. */
export interface NewContent {
  readonly sha256: string;
  readonly size: number;
  readonly mimeType: string;
}

/** Records an object and, where it has content, one reference to that. Paths go in and come out as on disk. @throws exists */
export async function insertObject(db: Database, object: ObjectRow): Promise<void> {
  const { tenant, sha256, size, path } = object;
  try {
    await inTransaction(db, async (tx) => {
      if (sha256 !== null) await addReference(tx, { tenant, sha256, size: size ?? 0 });
      const row = { ...object, path: path === null ? null : pathKey(path) };
      await tx.insertInto('objects').values(row).execute();
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new FsError('exists', `there is a file ${object.id} already`, { path: object.id }, error);
  }
}

/** Also one that is pending or deleted: look at `status`. null where the tenant has none of this id. */
export async function findObject(db: Database, tenant: string, id: string): Promise<ObjectRow | null> {
  const found = db.selectFrom('objects').selectAll().where('id', '=', id).where('tenant', '=', tenant);
  const row = await found.executeTakeFirst();
  return row === undefined ? null : fromObjectRow(row);
}

/** As `findObject`, whoever's it is: look at `tenant` too. */
export async function findAnyObject(db: Database, id: string): Promise<ObjectRow | null> {
  const row = await db.selectFrom('objects').selectAll().where('id', '=', id).executeTakeFirst();
  return row === undefined ? null : fromObjectRow(row);
}

/**
 * Gives an uploaded object other content. Returns what it let go, or null where it has this content already.
 * @throws not_found where the object is not uploaded (any more)
 */
export async function replaceContent(
  db: Database,
  id: string,
  { sha256, size, mimeType }: NewContent,
): Promise<ReleasedContent | null> {
  return inTransaction(db, async (tx) => {
    // An update that changes nothing: from here on nobody else changes the row before this transaction ends.
    const old = await tx
      .updateTable('objects')
      .set(({ ref }) => ({ id: ref('id') }))
      .where('id', '=', id)
      .where('status', '=', 'uploaded')
      .returning(['tenant', 'sha256'])
      .executeTakeFirst();
    if (old === undefined) throw new FsError('not_found', `there is no file ${id} any more`, { path: id });
    await tx.updateTable('objects').set({ sha256, size, mime_type: mimeType }).where('id', '=', id).execute();
    if (old.sha256 === sha256) return null;
    await addReference(tx, { tenant: old.tenant, sha256, size });
    return old.sha256 === null ? null : dropReference(tx, { tenant: old.tenant, sha256: old.sha256 });
  });
}

/** What deleting an object let go. */
export interface DeletedObject {
  readonly status: ObjectRow['status'];
  /** null where it had no content. */
  readonly content: ReleasedContent | null;
}

/** Keeps the row and lets go the content. null where the tenant has no such object, or it was deleted before. */
export async function markObjectDeleted(
  db: Database,
  tenant: string,
  id: string,
  now: number,
): Promise<DeletedObject | null> {
  return inTransaction(db, async (tx) => {
    const object = await tx
      .updateTable('objects')
      .set(({ ref }) => ({ id: ref('id') }))
      .where('id', '=', id)
      .where('tenant', '=', tenant)
      .where('status', '!=', 'deleted')
      .returning(['status', 'sha256'])
      .executeTakeFirst();
    if (object === undefined) return null;
    await tx.updateTable('objects').set({ status: 'deleted', deleted_at: now }).where('id', '=', id).execute();
    const { status, sha256 } = object;
    return { status, content: sha256 === null ? null : await dropReference(tx, { tenant, sha256 }) };
  });
}

/**
 * Uploaded objects whose time is over, the longest over first; none of a tenant that prepares a run, which may be about to
 * copy one.
 */
export async function listExpiredObjects(
  db: Database,
  now: number,
  limit: number,
): Promise<readonly Pick<ObjectRow, 'tenant' | 'id'>[]> {
  return db
    .selectFrom('objects')
    .select(['tenant', 'id'])
    .where(sql<boolean>`status = 'uploaded' and expires_at is not null`)
    .where('expires_at', '<=', now)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('live_runs')
            .innerJoin('runs', 'runs.id', 'live_runs.run_id')
            .select('live_runs.run_id')
            .whereRef('live_runs.tenant', '=', 'objects.tenant')
            .where('runs.status', '=', 'preparing'),
        ),
      ),
    )
    .orderBy('expires_at')
    .limit(limit)
    .execute();
}

/** Removes every row of a tenant that is being deleted; its bytes go with its directory. */
export async function removeObjectsOf(db: Database, tenant: string): Promise<void> {
  await inTransaction(db, async (tx) => {
    await tx.deleteFrom('objects').where('tenant', '=', tenant).execute();
    await tx.deleteFrom('contents').where('tenant', '=', tenant).execute();
    await tx.deleteFrom('texts').where('tenant', '=', tenant).execute();
  });
}

/** A row as it was put in. */
export function fromObjectRow(row: ObjectRow): ObjectRow {
  return row.path === null ? row : { ...row, path: fromPathKey(row.path) };
}
