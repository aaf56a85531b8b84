import type { Clock } from '../clock.ts';
import * as rows from '../db/agents.ts';
import type { AgentRow, Database } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
import { ensureAccount } from '../db/usage.ts';
import type { AgentId, TenantId } from '../ids.ts';
import { workspacePart } from './account.ts';
import type { AgentWanted, Limits } from './core.ts';

/** Knows which workspaces there are, and makes them. */
export interface Workspaces {
  exists(tenant: TenantId, agent: AgentId): Promise<boolean>;
  /** Makes the workspace where there is none, and notes that it is in use. */
  ensure(tenant: TenantId, agent: AgentId): Promise<void>;
  /** @throws exists */
  create(tenant: TenantId, agent: AgentId, wanted: AgentWanted): Promise<void>;
}

export interface WorkspacesParts {
  readonly db: Database;
  readonly clock: Clock;
  /** Limits of a workspace that was made without saying any. */
  readonly defaults: Limits;
}

// Activity is what `expires_after` counts from, and nobody needs it to the second.
const TOUCH_AFTER_MS = 60_000;

export function openWorkspaces({ db, clock, defaults }: WorkspacesParts): Workspaces {
  async function insert(
    tenant: TenantId,
    agent: AgentId,
    wanted: AgentWanted,
    put: (transaction: Database, row: AgentRow) => Promise<unknown>,
  ): Promise<void> {
    const limits = { ...defaults, ...wanted };
    await inTransaction(db, async (transaction) => {
      await put(transaction, newRow(tenant, agent, wanted, clock().getTime()));
      const account = { tenant, part: workspacePart(agent) };
      await ensureAccount(transaction, account, { limitBytes: limits.quotaBytes, limitFiles: limits.quotaFiles });
    });
  }

  return {
    exists: async (tenant, agent) => (await rows.findAgent(db, tenant, agent)) !== null,

    async ensure(tenant, agent) {
      const now = clock().getTime();
      const row = await rows.findAgent(db, tenant, agent);
      if (row === null) await insert(tenant, agent, {}, rows.ensureAgent);
      else if (row.active_at < now - TOUCH_AFTER_MS) await rows.touchAgent(db, tenant, agent, now);
    },

    create: (tenant, agent, wanted) => insert(tenant, agent, wanted, rows.insertAgent),
  };
}

function newRow(tenant: TenantId, agent: AgentId, wanted: AgentWanted, now: number): AgentRow {
  return {
    tenant,
    id: agent,
    user_id: wanted.userId ?? null,
    shared: wanted.shared === true ? 1 : 0,
    lifecycle: wanted.lifecycle ?? 'persistent',
    expires_after: wanted.expiresAfterSeconds ?? null,
    created_at: now,
    active_at: now,
  };
}
