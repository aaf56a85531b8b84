import { deleteAgent } from './agents.ts';
import { removeAnswersOf } from './answers.ts';
import { deleteAttributes } from './attributes.ts';
import { removeFeed } from './changes.ts';
import { removeObjectsOf } from './objects.ts';
import type { Database } from './schema.ts';
import { inTransaction } from './transaction.ts';
import { removeUploadsOf } from './uploads.ts';
import { removeAccount, removeAccounts } from './usage.ts';

/** Removes every row about a workspace, its runs included; objects captured from it stay. False where there was none. */
export async function removeWorkspaceRows(db: Database, tenant: string, agent: string, part: string): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    const runs = tx.selectFrom('runs').select('id').where('tenant', '=', tenant).where('agent', '=', agent);
    for (const table of ['seeds', 'journal', 'outputs'] as const) {
      await tx.deleteFrom(table).where('run_id', 'in', runs).execute();
    }
    await tx.deleteFrom('runs').where('tenant', '=', tenant).where('agent', '=', agent).execute();
    return retireWorkspaceRows(tx, tenant, agent, part);
  });
}

/** Removes every row about a workspace but those of its runs, which can still be read. False where there was none. */
export async function retireWorkspaceRows(db: Database, tenant: string, agent: string, part: string): Promise<boolean> {
  return inTransaction(db, async (tx) => {
    for (const table of ['live_runs', 'manifest'] as const) {
      await tx.deleteFrom(table).where('tenant', '=', tenant).where('agent', '=', agent).execute();
    }
    await deleteAttributes(tx, { tenant, part }, '');
    await removeUploadsOf(tx, { tenant, part });
    await removeAccount(tx, { tenant, part });
    await removeFeed(tx, { tenant, part });
    return deleteAgent(tx, tenant, agent);
  });
}

/** Removes every row of a tenant but its own. */
export async function removeTenantRows(db: Database, tenant: string): Promise<void> {
  await inTransaction(db, async (tx) => {
    const runs = tx.selectFrom('runs').select('id').where('tenant', '=', tenant);
    for (const table of ['seeds', 'journal', 'outputs'] as const) {
      await tx.deleteFrom(table).where('run_id', 'in', runs).execute();
    }
    for (const table of ['live_runs', 'manifest', 'runs', 'attributes', 'tags', 'agents', 'keys'] as const) {
      await tx.deleteFrom(table).where('tenant', '=', tenant).execute();
    }
    await removeObjectsOf(tx, tenant);
    await removeAccounts(tx, tenant);
    await removeAnswersOf(tx, tenant);
    for (const table of ['uploads', 'feeds', 'changes', 'watches', 'meter', 'webhooks', 'announcements'] as const) {
      await tx.deleteFrom(table).where('tenant', '=', tenant).execute();
    }
  });
}

/** The agents of a tenant that have a live run. */
export async function agentsWithLiveRun(db: Database, tenant: string): Promise<readonly string[]> {
  const rows = await db.selectFrom('live_runs').select('agent').where('tenant', '=', tenant).execute();
  return rows.map((row) => row.agent);
}

/** The live run of each of these agents that has one. */
export async function liveRunsOf(
  db: Database,
  tenant: string,
  agents: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (agents.length === 0) return new Map();
  const rows = await db
    .selectFrom('live_runs')
    .select(['agent', 'run_id'])
    .where('tenant', '=', tenant)
    .where('agent', 'in', agents)
    .execute();
  return new Map(rows.map((row) => [row.agent, row.run_id]));
}
