import { type SelectQueryBuilder, sql } from 'kysely';
import { FsError } from '../errors.ts';
import { addReference, dropReference, type ReleasedContent } from './contents.ts';
import { isUniqueViolation } from './failures.ts';
import { fromPathKey, pathKey } from './path-key.ts';
import type { Database, ObjectRow, Schema } from './schema.ts';
import { inTransaction } from './transaction.ts';
import type { Amount } from './usage.ts';

/** Whose objects, narrowed by what is named; conditions combine with AND. */
export interface ObjectsOf {
  readonly tenant: string;
  readonly userId?: string;
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly runId?: string;
  readonly purpose?: NonNullable<ObjectRow['purpose']>;
  /** Default: those that are uploaded. */
  readonly statuses?: readonly ObjectRow['status'][];
}

export interface ObjectPage {
  /** The id of the last object of the page before, or null. */
  readonly before: string | null;
  readonly limit: number;
  readonly offset?: number;
}

/** Content as an object takes it on. */
export interface NewContent {
  readonly sha256: string;
  readonly size: number;
  readonly mimeType: string;
}

const UPLOADED: readonly ObjectRow['status'][] = ['uploaded'];

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
  return row === undefined ? null : fromRow(row);
}

/** Newest first. */
export async function listObjects(db: Database, of: ObjectsOf, page: ObjectPage): Promise<readonly ObjectRow[]> {
  let query = narrowed(db.selectFrom('objects').selectAll(), of);
  if (page.before !== null) {
    // Ids of different makers do not sort by time, so the time decides and the id only breaks ties.
    query = query.where(
      sql<boolean>`(created_at, id) < (select mark.created_at, mark.id from objects as mark where mark.id = ${page.before})`,
    );
  }
  query = query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(page.limit);
  if (page.offset !== undefined) query = query.offset(page.offset);
  return (await query.execute()).map(fromRow);
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

/** Bytes at logical size and number of the tenant's uploaded objects, or of one user's or agent's. */
export async function sumObjects(
  db: Database,
  tenant: string,
  of: Pick<ObjectsOf, 'userId' | 'agentId'> = {},
): Promise<Amount> {
  const sums = narrowed(db.selectFrom('objects'), { ...of, tenant }).select(({ fn }) => [
    fn.coalesce(fn.sum<number>('size'), sql<number>`0`).as('bytes'),
    fn.countAll<number>().as('files'),
  ]);
  return sums.executeTakeFirstOrThrow();
}

/** Removes every row of a tenant that is being deleted; its bytes go with its directory. */
export async function removeObjectsOf(db: Database, tenant: string): Promise<void> {
  await inTransaction(db, async (tx) => {
    await tx.deleteFrom('objects').where('tenant', '=', tenant).execute();
    await tx.deleteFrom('contents').where('tenant', '=', tenant).execute();
    await tx.deleteFrom('texts').where('tenant', '=', tenant).execute();
  });
}

function narrowed<O>(
  query: SelectQueryBuilder<Schema, 'objects', O>,
  { tenant, userId, agentId, sessionId, runId, purpose, statuses = UPLOADED }: ObjectsOf,
): SelectQueryBuilder<Schema, 'objects', O> {
  let narrow = query.where('tenant', '=', tenant).where('status', 'in', statuses);
  if (userId !== undefined) narrow = narrow.where('user_id', '=', userId);
  if (agentId !== undefined) narrow = narrow.where('agent_id', '=', agentId);
  if (sessionId !== undefined) narrow = narrow.where('session_id', '=', sessionId);
  if (runId !== undefined) narrow = narrow.where('run_id', '=', runId);
  if (purpose !== undefined) narrow = narrow.where('purpose', '=', purpose);
  return narrow;
}

function fromRow(row: ObjectRow): ObjectRow {
  return row.path === null ? row : { ...row, path: fromPathKey(row.path) };
}
