import { sql } from 'kysely';
import type { Database } from '../../src/db/schema.ts';

/** What a list can be narrowed by, and the value that all but twenty objects have; those twenty have `few` (or `knowledge`). */
export const COMMON = {
  userId: 'all',
  agentId: 'all',
  sessionId: 'all',
  runId: 'all',
  purpose: 'agent_input',
} as const;
export type Filter = keyof typeof COMMON;
export const FILTERS = ['userId', 'agentId', 'sessionId', 'runId', 'purpose'] as const satisfies readonly Filter[];

/** The value that only twenty objects have, among the hundred oldest, each filter's its own. */
export function rare(filter: Filter): string {
  return filter === 'purpose' ? 'knowledge' : 'few';
}

/** What becomes of all but the hundred oldest objects: the same as of those, deleted, never uploaded, or somebody else's. */
export type Rest = 'alike' | 'deleted' | 'pending' | 'others';

/** Records so many objects of a tenant, a second apart. Their contents are nowhere: they can be listed, not read. */
export async function recordObjects(db: Database, tenant: string, count: number, rest: Rest = 'alike'): Promise<void> {
  const status = { alike: 'uploaded', deleted: 'deleted', pending: 'pending_upload', others: 'uploaded' }[rest];
  const whose = rest === 'others' ? 'others' : 'all';
  const value = (from: number, common: string) =>
    sql`case when i > ${sql.lit(from)} and i <= ${sql.lit(from + 20)} then 'few'
      when i <= 100 then 'all' else ${sql.lit(common)} end`;
  await sql`
    insert into objects (id, tenant, user_id, agent_id, session_id, run_id, purpose, status, visibility, filename,
      mime_type, size, sha256, created_at, uploaded_at)
    with recursive numbers(i) as (select 1 union all select i + 1 from numbers where i < ${sql.lit(count)})
    select 'file_' || ${sql.lit(tenant)} || '_' || (1000000 + i), ${sql.lit(tenant)}, ${value(0, whose)}, ${value(20, whose)},
      ${value(40, whose)}, ${value(60, whose)},
      case when i > 80 and i <= 100 then 'knowledge' else 'agent_input' end,
      case when i <= 100 then 'uploaded' else ${sql.lit(status)} end, 'private', 'report-' || i || '.csv',
      'text/csv', 1, ${sql.lit('ab'.repeat(32))}, 1700000000000 + i * 1000, 1700000000000 + i * 1000
    from numbers`.execute(db);
}
