import { sumObjects } from '../db/object-lists.ts';
import type { Database } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
import * as ledger from '../db/usage.ts';
import { FsError } from '../errors.ts';
import type { TenantId } from '../ids.ts';
import type { Count } from '../tree/entry.ts';
import { ROOT } from '../tree/path.ts';
import type { DataRoot } from '../tree/root.ts';
import { type Account, add, homeOf, lockName, NOTHING, nameAccount, subtract } from './account.ts';
import type { Rescan } from './core.ts';
import type { Locks } from './locks.ts';
import type { Announce } from './webhooks/announcer.ts';
import { announceGrowth } from './webhooks/quota-warnings.ts';

/** What an account's ledger said, and what there really is. */
export interface Recounted {
  readonly ledger: Count;
  readonly disk: Count;
}

/** Makes the ledger true to the disk (and, for objects, to their rows). */
export interface Recounts {
  /** Counts one account while nothing of it changes through any daemon. An account that is gone counts as nothing. */
  recount(account: Account): Promise<Recounted>;
  rescan(tenant: TenantId, options: { readonly dryRun: boolean }): Promise<Rescan>;
}

export interface RecountParts {
  readonly db: Database;
  readonly root: DataRoot;
  readonly locks: Locks;
  readonly announce: Announce;
}

const ATTEMPTS = 5;

export function openRecounts(parts: RecountParts): Recounts {
  async function recount(account: Account, dryRun: boolean): Promise<Recounted> {
    return parts.locks.withTreeLock(lockName(account), [ROOT], async (guard) => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const before = await ledger.readAccount(parts.db, account);
        if (before === null) return { ledger: NOTHING, disk: NOTHING };
        const disk = await measure(parts, account);
        await guard.check();
        if (dryRun || (await apply(parts, account, disk, before.version))) {
          return { ledger: { bytes: before.bytes, files: before.files }, disk };
        }
      }
      throw new FsError('unavailable', `${nameAccount(account)} changes too fast to be counted; try again`, {
        retryAfterSeconds: 1,
      });
    });
  }

  async function rescan(tenant: TenantId, dryRun: boolean): Promise<Rescan> {
    let disk: Count = NOTHING;
    let ledgerSum: Count = NOTHING;
    for await (const part of partsOf(parts.db, tenant)) {
      const one = await recount({ tenant, part }, dryRun);
      disk = add(disk, one.disk);
      ledgerSum = add(ledgerSum, one.ledger);
    }
    if (!dryRun) await mendTotal(parts, tenant);
    const drift = subtract(disk, ledgerSum);
    return { ledger: ledgerSum, disk, drift, repaired: !dryRun && (drift.bytes !== 0 || drift.files !== 0) };
  }

  return { recount: (account) => recount(account, false), rescan: (tenant, { dryRun }) => rescan(tenant, dryRun) };
}

/** Books a count, unless the account changed since `ifVersion` was read. */
async function apply(
  { db, announce }: RecountParts,
  account: Account,
  counted: Count,
  ifVersion: number,
): Promise<boolean> {
  return inTransaction(db, async (transaction) => {
    const applied = await ledger.applyRecount(transaction, { ...account, counted, ifVersion });
    if (applied === null) return false;
    await announceGrowth(announce, transaction, account.tenant, applied.accounts, applied.difference);
    return true;
  });
}

const PAGE = 200;

/** Every part of the tenant, not the tenant itself. */
async function* partsOf(db: Database, tenant: TenantId): AsyncGenerator<string> {
  for (let after: string | null = ''; after !== null; ) {
    const accounts: readonly ledger.AccountState[] = await ledger.listAccounts(db, tenant, { after, limit: PAGE });
    for (const { part } of accounts) yield part;
    after = accounts.length < PAGE ? null : (accounts.at(-1)?.part ?? null);
  }
}

/** The tenant's own account is the sum of its parts. */
async function mendTotal(parts: RecountParts, tenant: TenantId): Promise<void> {
  const { db } = parts;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const total = await ledger.readAccount(db, { tenant, part: '' });
    if (total === null) return;
    let counted: Count = NOTHING;
    for await (const part of partsOf(db, tenant)) {
      counted = add(counted, (await ledger.readAccount(db, { tenant, part })) ?? NOTHING);
    }
    // Every change of a part changes the version of the total, so a sum of different moments is never booked.
    if (await apply(parts, { tenant, part: '' }, counted, total.version)) return;
  }
}

async function measure(parts: RecountParts, account: Account): Promise<Count> {
  if (account.part === 'objects') return sumObjects(parts.db, account.tenant);
  const home = await parts.root.open(homeOf(account));
  return home.tree.count();
}
