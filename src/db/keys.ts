import type { Database, KeyRow } from './schema.ts';

/** Records a key by the hash of its secret. */
export async function insertKey(db: Database, key: KeyRow): Promise<void> {
  await db.insertInto('keys').values(key).execute();
}

/** null for one that never was or was revoked. */
export async function findKeyByHash(db: Database, hash: string): Promise<KeyRow | null> {
  const found = db.selectFrom('keys').selectAll().where('hash', '=', hash).where('revoked_at', 'is', null);
  return (await found.executeTakeFirst()) ?? null;
}

/** Those of a tenant that are not revoked, oldest first. */
export async function listKeys(db: Database, tenant: string): Promise<readonly KeyRow[]> {
  const keys = db.selectFrom('keys').selectAll().where('tenant', '=', tenant).where('revoked_at', 'is', null);
  return keys.orderBy('created_at').orderBy('id').execute();
}

/** False where the tenant has no such key, or it was revoked before. */
export async function revokeKey(db: Database, tenant: string, id: string, now: number): Promise<boolean> {
  const revoked = db.updateTable('keys').set({ revoked_at: now }).where('tenant', '=', tenant).where('id', '=', id);
  return (await revoked.where('revoked_at', 'is', null).executeTakeFirst()).numUpdatedRows > 0n;
}
