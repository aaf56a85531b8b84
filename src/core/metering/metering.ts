import { demand, type Grant } from '../../auth/grant.ts';
import type { Clock } from '../../clock.ts';
import { findAgent } from '../../db/agents.ts';
import * as rows from '../../db/meter.ts';
import { sumObjects } from '../../db/object-lists.ts';
import type { Database } from '../../db/schema.ts';
import * as ledger from '../../db/usage.ts';
import { FsError } from '../../errors.ts';
import type { AgentId, TenantId } from '../../ids.ts';
import { add, workspacePart } from '../account.ts';
import type { Metering, Usage, UsageDay, Whose } from '../core.ts';
import { NO_USAGE, toUsage } from '../quota.ts';
import { dayOf, demandDays, eachDay, firstKept } from './days.ts';
import type { Meter } from './meter.ts';

export interface MeteringParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly meter: Meter;
}

const FOLDED_AT_A_TIME = 1000;

export function openMetering({ db, clock, meter }: MeteringParts): Metering {
  return {
    count: meter.count,

    async report(grant, whose) {
      const of = narrowTo(grant, whose);
      await meter.flush();
      const held = await holdings(db, grant.tenant, of);
      return { ...held, ...(await rows.sumTransfers(db, meterOf(grant.tenant, of))) };
    },

    async days(grant, whose, wanted) {
      const of = meterOf(grant.tenant, narrowTo(grant, whose));
      const today = dayOf(clock());
      const { from, to } = demandDays(wanted, today);
      await meter.flush();
      const metered = new Map((await rows.listDays(db, of, { from, to })).map((day) => [day.day, day]));
      const before = await rows.lastDayBefore(db, of, from);
      let stored = before?.stored ?? null;
      const past = eachDay({ from, to }).filter((day) => day <= today);
      return past.map((day): UsageDay => {
        const found = metered.get(day);
        // A day without a request ends with what the one before it ended with.
        stored = found?.stored ?? stored;
        const { uploads = 0, downloads = 0, bytesIn = 0, bytesOut = 0 } = found ?? {};
        return { day, stored, uploads, downloads, bytesIn, bytesOut };
      });
    },
  };
}

/** Adds days that are too old to be asked for to what is kept of all earlier ones. */
export async function foldOldDays({ db, clock }: Pick<MeteringParts, 'db' | 'clock'>): Promise<void> {
  await rows.foldDays(db, firstKept(dayOf(clock())), FOLDED_AT_A_TIME);
}

/** @throws forbidden where the grant is another user's */
function narrowTo(grant: Grant, { userId, agentId }: Whose): Whose {
  demand(grant, 'usage:read');
  if (grant.user === null || userId === null || userId === grant.user) return { userId: userId ?? grant.user, agentId };
  throw new FsError('forbidden', 'this credential is bound to one user and sees the usage of no other');
}

function meterOf(tenant: TenantId, { userId, agentId }: Whose): rows.MeterOf {
  return { tenant, userId: userId ?? '', agentId: agentId ?? '' };
}

/**
 * What somebody holds: the whole ledger for the tenant; for a user or agent their objects, each at its logical size, and their
 * workspaces. Somebody nobody has heard of holds nothing.
 */
async function holdings(db: Database, tenant: TenantId, { userId, agentId }: Whose): Promise<Usage> {
  if (userId === null && agentId === null) return usageOf(db, tenant, '');
  const objects = await sumObjects(db, tenant, {
    ...(userId === null ? {} : { userId }),
    ...(agentId === null ? {} : { agentId }),
  });
  const workspaces = await (agentId === null
    ? workspacesOf(db, tenant, userId ?? '')
    : workspaceOf(db, tenant, agentId, userId));
  return { ...workspaces, ...add(objects, workspaces) };
}

async function workspacesOf(db: Database, tenant: TenantId, userId: string): Promise<Usage> {
  return { ...NO_USAGE, ...(await ledger.sumWorkspaces(db, tenant, userId)) };
}

/** The workspace of an agent, unless one user is asked about and it is not theirs. */
async function workspaceOf(db: Database, tenant: TenantId, agent: AgentId, userId: string | null): Promise<Usage> {
  if (userId !== null && (await findAgent(db, tenant, agent))?.user_id !== userId) return NO_USAGE;
  return usageOf(db, tenant, workspacePart(agent));
}

async function usageOf(db: Database, tenant: TenantId, part: string): Promise<Usage> {
  const account = await ledger.readAccount(db, { tenant, part });
  return account === null ? NO_USAGE : toUsage(account);
}
