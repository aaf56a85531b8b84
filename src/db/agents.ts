import { sql } from 'kysely';
import { FsError } from '../errors.ts';
import { isUniqueViolation } from './failures.ts';
import type { AgentRow, Database } from './schema.ts';

/** @throws exists */
export async function insertAgent(db: Database, agent: AgentRow): Promise<void> {
  try {
    await db.insertInto('agents').values(agent).execute();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new FsError('exists', `there is a workspace of agent ${agent.id} already`, { path: agent.id }, error);
  }
}

/** Makes the workspace's row if it is not there. True when it was made. */
export async function ensureAgent(db: Database, agent: AgentRow): Promise<boolean> {
  const insert = db.insertInto('agents').values(agent);
  const made = await insert.onConflict((conflict) => conflict.doNothing()).executeTakeFirst();
  return (made.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

export async function findAgent(db: Database, tenant: string, id: string): Promise<AgentRow | null> {
  const found = db.selectFrom('agents').selectAll().where('tenant', '=', tenant).where('id', '=', id);
  return (await found.executeTakeFirst()) ?? null;
}

/** By id; `after` is the last id of the page before, or null. */
export async function listAgents(
  db: Database,
  tenant: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<readonly AgentRow[]> {
  let query = db.selectFrom('agents').selectAll().where('tenant', '=', tenant);
  if (page.after !== null) query = query.where('id', '>', page.after);
  return query.orderBy('id').limit(page.limit).execute();
}

/** Notes activity, which puts off the end of a workspace that expires. Never turns the time back. */
export async function touchAgent(db: Database, tenant: string, id: string, now: number): Promise<void> {
  const touched = db.updateTable('agents').set({ active_at: now }).where('tenant', '=', tenant).where('id', '=', id);
  await touched.where('active_at', '<', now).execute();
}

/** Makes a free workspace this user's. True when it is theirs now (or is shared), false when it is another's or not there. */
export async function claimUser(db: Database, tenant: string, id: string, user: string): Promise<boolean> {
  const claimed = await db
    .updateTable('agents')
    .set(({ eb }) => ({ user_id: eb.case().when('shared', '=', 1).then(eb.ref('user_id')).else(user).end() }))
    .where('tenant', '=', tenant)
    .where('id', '=', id)
    .where((eb) => eb.or([eb('shared', '=', 1), eb('user_id', 'is', null), eb('user_id', '=', user)]))
    .executeTakeFirst();
  return claimed.numUpdatedRows > 0n;
}

/** False where there is none. */
export async function deleteAgent(db: Database, tenant: string, id: string): Promise<boolean> {
  const deleted = db.deleteFrom('agents').where('tenant', '=', tenant).where('id', '=', id);
  return (await deleted.executeTakeFirst()).numDeletedRows > 0n;
}

/** Workspaces whose time since the last activity has run out and that have no live run, the longest idle first. */
export async function listExpired(db: Database, now: number, limit: number): Promise<readonly AgentRow[]> {
  return db
    .selectFrom('agents')
    .selectAll()
    .where('expires_after', 'is not', null)
    .where(sql<boolean>`active_at + expires_after * 1000 <= ${now}`)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('live_runs')
            .select('run_id')
            .whereRef('live_runs.tenant', '=', 'agents.tenant')
            .whereRef('live_runs.agent', '=', 'agents.id'),
        ),
      ),
    )
    .orderBy('active_at')
    .limit(limit)
    .execute();
}
