import type { Database } from './schema.ts';

/** True while something of this id still waits for bytes: a pending object. */
export async function isUploadOpen(db: Database, id: string): Promise<boolean> {
  const pending = db.selectFrom('objects').select('id').where('id', '=', id).where('status', '=', 'pending_upload');
  return (await pending.executeTakeFirst()) !== undefined;
}
