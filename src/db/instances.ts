import type { Database, InstanceRow } from './schema.ts';

/** Makes a process known. Its id is fresh, so this happens once. */
export async function registerInstance(db: Database, instance: InstanceRow): Promise<void> {
  await db.insertInto('instances').values(instance).execute();
}

/** Says that the process lives, until then. False where it was taken for dead and removed: it must stop writing. */
export async function renewLease(db: Database, id: string, until: number): Promise<boolean> {
  const renewed = db.updateTable('instances').set({ lease_until: until }).where('id', '=', id);
  return (await renewed.executeTakeFirst()).numUpdatedRows > 0n;
}

/** Every process that has neither stopped cleanly nor been found dead. */
export async function listInstances(db: Database): Promise<readonly InstanceRow[]> {
  return db.selectFrom('instances').selectAll().orderBy('id').execute();
}

/** True for the one caller that removed it. */
export async function removeInstance(db: Database, id: string): Promise<boolean> {
  return (await db.deleteFrom('instances').where('id', '=', id).executeTakeFirst()).numDeletedRows > 0n;
}

/** True where something of this owner is still wanted: a process that is registered, or a copy-in that has a journal. */
export async function isOwnerLiving(db: Database, owner: string): Promise<boolean> {
  const row = await db
    .selectFrom('instances')
    .select('id')
    .where('id', '=', owner)
    .unionAll(db.selectFrom('journal').select('run_id as id').where('run_id', '=', owner).where('n', '=', 0))
    .executeTakeFirst();
  return row !== undefined;
}
