import type { Database, TenantRow } from './schema.ts';

/** Makes a tenant that was never there. True when it was made; a deleted one stays deleted. */
export async function ensureTenant(db: Database, id: string, now: number): Promise<boolean> {
  const made = await db
    .insertInto('tenants')
    .values({ id, status: 'active', created_at: now })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (made.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Also one that is deleted: look at `status`. */
export async function findTenant(db: Database, id: string): Promise<TenantRow | null> {
  return (await db.selectFrom('tenants').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
}

/** The active ones by id; `after` is the last id of the page before, or null. */
export async function listTenants(
  db: Database,
  page: { readonly after: string | null; readonly limit: number },
): Promise<readonly TenantRow[]> {
  let query = db.selectFrom('tenants').selectAll().where('status', '=', 'active');
  if (page.after !== null) query = query.where('id', '>', page.after);
  return query.orderBy('id').limit(page.limit).execute();
}

/** Makes the tenant, or brings a deleted one back. False where it was active already. */
export async function putTenant(db: Database, id: string, now: number): Promise<boolean> {
  const put = await db
    .insertInto('tenants')
    .values({ id, status: 'active', created_at: now })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ status: 'active', created_at: now }).where('tenants.status', '=', 'deleted'),
    )
    .executeTakeFirst();
  return (put.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** Leaves a tombstone, so that old credentials do not make it anew. False where it was not active. */
export async function markDeleted(db: Database, id: string): Promise<boolean> {
  const marked = db.updateTable('tenants').set({ status: 'deleted' }).where('id', '=', id);
  return (await marked.where('status', '=', 'active').executeTakeFirst()).numUpdatedRows > 0n;
}
