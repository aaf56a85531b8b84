import type { AgentRow, Database, ObjectRow, TenantRow } from '../../../src/db/schema.ts';

export const row = (id: string): TenantRow => ({ id, status: 'active', created_at: 1 });

/** The ids of tenants that begin so, in the database's order. */
export async function tenantIds(db: Database, prefix: string): Promise<readonly string[]> {
  const tenants = db.selectFrom('tenants').select('id').where('id', 'like', `${prefix}%`).orderBy('id');
  return (await tenants.execute()).map(({ id }) => id);
}

export const agent = (tenant: string, id: string, more: Partial<AgentRow> = {}): AgentRow => ({
  tenant,
  id,
  user_id: null,
  shared: 0,
  lifecycle: 'persistent',
  expires_after: null,
  created_at: 1,
  active_at: 1,
  ...more,
});

export const object = (tenant: string, id: string, more: Partial<ObjectRow> = {}): ObjectRow => ({
  id,
  tenant,
  user_id: null,
  agent_id: null,
  session_id: null,
  run_id: null,
  purpose: null,
  status: 'uploaded',
  visibility: 'private',
  filename: null,
  mime_type: 'text/plain',
  size: 3,
  sha256: 'aa',
  path: null,
  created_at: 1,
  deleted_at: null,
  expected_size: null,
  uploaded_at: 0,
  slot_until: null,
  expires_at: null,
  downloads: 0,
  ...more,
});
