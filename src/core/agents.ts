import { findAgent, listAgents } from '../db/agents.ts';
import { liveRunsOf, removeWorkspaceRows, retireWorkspaceRows } from '../db/removal.ts';
import { runLive } from '../db/runs.ts';
import type { AgentRow, Database } from '../db/schema.ts';
import { readAccounts } from '../db/usage.ts';
import { type AgentId, makeAgentId, type RunId, type TenantId } from '../ids.ts';
import { ROOT } from '../tree/path.ts';
import type { DataRoot } from '../tree/root.ts';
import { accountOf, homeOf, lockName, workspacePart } from './account.ts';
import type { Agent, Agents } from './core.ts';
import type { Locks } from './locks.ts';
import type { Ownership } from './ownership.ts';
import { decodeCursor, pageOf } from './paging.ts';
import { NO_USAGE, toUsage } from './quota.ts';
import { type InnerVolumes, noWorkspace } from './volumes.ts';
import type { Workspaces } from './workspaces.ts';

export interface AgentsParts {
  readonly db: Database;
  readonly root: DataRoot;
  readonly locks: Locks;
  readonly volumes: Pick<InnerVolumes, 'forget'>;
  readonly workspaces: Workspaces;
  readonly ownership: Ownership;
  /** Ends the live run of a workspace that is going to be removed, capturing nothing. */
  abandonRun(tenant: TenantId, agent: AgentId): Promise<void>;
}

/** What core itself asks of agents besides what clients may. */
export interface InnerAgents extends Agents {
  /** Removes the workspace of an ephemeral agent whose run is over. Its runs can still be read. */
  retire(tenant: TenantId, agent: AgentId): Promise<void>;
}

export function openAgents(parts: AgentsParts): InnerAgents {
  const { db, root, workspaces } = parts;

  async function get(tenant: TenantId, agent: AgentId): Promise<Agent> {
    const row = await findAgent(db, tenant, agent);
    if (row === null) throw noWorkspace(agent);
    const [found] = await toAgents(db, tenant, [row]);
    if (found === undefined) throw noWorkspace(agent);
    return found;
  }

  return {
    get,

    async create(tenant, wanted) {
      const agent = wanted.agentId ?? makeAgentId();
      await workspaces.create(tenant, agent, wanted);
      await root.open(homeOf({ tenant, part: workspacePart(agent) }));
      return get(tenant, agent);
    },

    async list(tenant, page) {
      const after = decodeCursor(page.cursor);
      const found = await listAgents(db, tenant, { after, limit: page.limit + 1 });
      return pageOf(await toAgents(db, tenant, found), page.limit, (agent) => agent.id);
    },

    async remove(tenant, agent, { force }) {
      const { liveRun } = await get(tenant, agent);
      if (liveRun !== null && !force) throw runLive(agent);
      if (liveRun !== null) await parts.abandonRun(tenant, agent);
      await removeWorkspace(parts, tenant, agent, removeWorkspaceRows);
    },

    retire: (tenant, agent) => removeWorkspace(parts, tenant, agent, retireWorkspaceRows),

    async mount(tenant, agent) {
      await get(tenant, agent);
      const { mountPath } = await root.open(homeOf({ tenant, part: workspacePart(agent) }));
      return { hostPath: mountPath, ...parts.ownership };
    },
  };
}

async function removeWorkspace(
  parts: AgentsParts,
  tenant: TenantId,
  agent: AgentId,
  removeRows: typeof removeWorkspaceRows,
): Promise<void> {
  const ref = { kind: 'workspace' as const, tenant, agent };
  const account = accountOf(ref);
  await parts.locks.withTreeLock(lockName(account), [ROOT], async (guard) => {
    await guard.check();
    // The tree first: what a crash leaves is an empty workspace, never files that a new one of this name would show.
    await parts.root.remove(homeOf(account));
    await removeRows(parts.db, tenant, agent, account.part);
    parts.volumes.forget(ref);
  });
}

async function toAgents(db: Database, tenant: TenantId, found: readonly AgentRow[]): Promise<readonly Agent[]> {
  const ids = found.map((row) => row.id);
  const parts = found.map((row) => workspacePart(row.id as AgentId));
  const [accounts, runs] = [await readAccounts(db, tenant, parts), await liveRunsOf(db, tenant, ids)];
  return found.map((row) => {
    const account = accounts.get(workspacePart(row.id as AgentId));
    return {
      id: row.id as AgentId,
      userId: row.user_id,
      shared: row.shared === 1,
      lifecycle: row.lifecycle,
      usage: account === undefined ? NO_USAGE : toUsage(account),
      liveRun: (runs.get(row.id) as RunId | undefined) ?? null,
      expiresAfterSeconds: row.expires_after,
      createdAt: new Date(row.created_at),
      activeAt: new Date(row.active_at),
    };
  });
}
