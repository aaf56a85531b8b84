import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { agentsWithLiveRun, removeTenantRows } from '../db/removal.ts';
import type { Database, TenantRow } from '../db/schema.ts';
import * as rows from '../db/tenants.ts';
import { inTransaction } from '../db/transaction.ts';
import { type AccountLimits, ensureAccount, readAccount, setLimits } from '../db/usage.ts';
import { FsError } from '../errors.ts';
import type { AgentId, TenantId } from '../ids.ts';
import type { DataRoot } from '../tree/root.ts';
import type { Limits, Tenant, Tenants } from './core.ts';
import { decodeCursor, pageOf } from './paging.ts';
import { NO_USAGE, toUsage } from './quota.ts';
import type { Announce } from './webhooks/announcer.ts';
import { announceCrossings } from './webhooks/quota-warnings.ts';

export interface TenantsParts {
  readonly db: Database;
  readonly root: DataRoot;
  readonly clock: Clock;
  /** Limits of a tenant that was made without saying any. */
  readonly defaults: Limits;
  /** Whether a credential's tenant comes into being by being used. */
  readonly autocreate: boolean;
  readonly announce: Announce;
  /** Ends the live run of a workspace that is going to be removed, capturing nothing. */
  abandonRun(tenant: TenantId, agent: AgentId): Promise<void>;
  /** Drops what has been counted of a tenant and is not written down. */
  forgetUsage(tenant: TenantId): Promise<void>;
}

const MAX_KNOWN = 10_000;
const KNOWN_MS = 2000;
const NO_LIMITS = { limitBytes: 0, limitFiles: 0 };

export function openTenants(parts: TenantsParts): Tenants {
  const { db, clock } = parts;
  const admitted = new LRUCache<TenantId, true>({ max: MAX_KNOWN, ttl: KNOWN_MS });

  async function toTenant(row: TenantRow): Promise<Tenant> {
    const account = await readAccount(db, { tenant: row.id, part: '' });
    const usage = account === null ? NO_USAGE : toUsage(account);
    return { id: row.id as TenantId, usage, createdAt: new Date(row.created_at) };
  }

  async function get(tenant: TenantId): Promise<Tenant> {
    const row = await rows.findTenant(db, tenant);
    if (row === null || row.status !== 'active') throw noTenant(tenant);
    return toTenant(row);
  }

  return {
    get,

    async admit(tenant) {
      if (admitted.has(tenant)) return;
      const row = await rows.findTenant(db, tenant);
      if (row === null) await autocreate(parts, tenant);
      else if (row.status !== 'active') throw new FsError('forbidden', `tenant ${tenant} was deleted`);
      admitted.set(tenant, true);
    },

    async list(page) {
      const after = decodeCursor(page.cursor);
      const found = await rows.listTenants(db, { after, limit: page.limit + 1 });
      return pageOf(await Promise.all(found.map(toTenant)), page.limit, (tenant) => tenant.id);
    },

    async put(tenant, limits) {
      // What a request that was under way at the deletion left behind goes before the tenant comes back.
      if ((await rows.findTenant(db, tenant))?.status === 'deleted') await purge(parts, tenant);
      const created = await inTransaction(db, async (transaction) => {
        const isNew = await rows.putTenant(transaction, tenant, clock().getTime());
        await ensureAccounts(transaction, tenant, parts.defaults);
        await changeLimits(parts, transaction, tenant, limits);
        return isNew;
      });
      return { tenant: await get(tenant), created };
    },

    async remove(tenant) {
      if (!(await rows.markDeleted(db, tenant))) throw noTenant(tenant);
      admitted.delete(tenant);
      for (const agent of await agentsWithLiveRun(db, tenant)) await parts.abandonRun(tenant, agent as AgentId);
      await parts.forgetUsage(tenant);
      await purge(parts, tenant);
    },
  };
}

async function purge({ db, root }: TenantsParts, tenant: TenantId): Promise<void> {
  await removeTenantRows(db, tenant);
  await root.remove(['tenants', tenant]);
}

/** @throws forbidden */
async function autocreate(
  { db, clock, defaults, autocreate: mayCreate }: TenantsParts,
  tenant: TenantId,
): Promise<void> {
  if (!mayCreate) {
    throw new FsError('forbidden', `tenant ${tenant} is not known here; an administrator has to make it first`);
  }
  await inTransaction(db, async (transaction) => {
    await rows.ensureTenant(transaction, tenant, clock().getTime());
    await ensureAccounts(transaction, tenant, defaults);
  });
}

async function ensureAccounts(db: Database, tenant: TenantId, defaults: Limits): Promise<void> {
  await ensureAccount(db, { tenant, part: '' }, { limitBytes: defaults.quotaBytes, limitFiles: defaults.quotaFiles });
  for (const part of ['store', 'objects']) await ensureAccount(db, { tenant, part }, NO_LIMITS);
}

/** A limit that is lowered can be what an account comes close to. */
async function changeLimits(
  { announce }: TenantsParts,
  transaction: Database,
  tenant: TenantId,
  limits: Partial<Limits>,
): Promise<void> {
  const account = { tenant, part: '' };
  const before = await readAccount(transaction, account);
  await setLimits(transaction, account, toAccountLimits(limits));
  // Read again: what is held may have changed until the limits did, and cannot from there on.
  const now = await readAccount(transaction, account);
  if (before === null || now === null) return;
  await announceCrossings(announce, transaction, account, { ...now, ...limitsOf(before) }, now);
}

function limitsOf({ limitBytes, limitFiles }: AccountLimits): AccountLimits {
  return { limitBytes, limitFiles };
}

function toAccountLimits({ quotaBytes, quotaFiles }: Partial<Limits>): { limitBytes?: number; limitFiles?: number } {
  return {
    ...(quotaBytes === undefined ? {} : { limitBytes: quotaBytes }),
    ...(quotaFiles === undefined ? {} : { limitFiles: quotaFiles }),
  };
}

function noTenant(tenant: TenantId): FsError {
  return new FsError('not_found', `there is no tenant ${tenant}`, { path: tenant });
}
