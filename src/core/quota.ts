import bytes from 'bytes';
import { readHold, settleHold } from '../db/holds.ts';
import type { Database } from '../db/schema.ts';
import { inTransaction } from '../db/transaction.ts';
import * as ledger from '../db/usage.ts';
import { FsError } from '../errors.ts';
import type { Count } from '../tree/entry.ts';
import { type Account, add, NOTHING, nameAccount } from './account.ts';
import type { Usage } from './core.ts';
import type { Disk } from './disk.ts';
import type { Announce } from './webhooks/announcer.ts';
import { announceGrowth } from './webhooks/quota-warnings.ts';

/** The ledger says that this account must be counted again before more is charged to it. Never leaves core. */
class RecountOwed extends Error {
  override readonly name = 'RecountOwed';
}

/** Queries that are to be done together with a settling or not at all. They run again when the transaction does. */
export type Also = (transaction: Database) => Promise<void>;

/** Books in a transaction, and says how the accounts stand then. */
type Book = (transaction: Database) => Promise<readonly ledger.AccountState[]>;

export interface QuotaParts {
  readonly db: Database;
  readonly instance: string;
  readonly disk: Disk;
  /** @throws unavailable while this process does not count as living, so that its reservations would not hold */
  demandAlive(): void;
  /** Counts an account again and mends its ledger. */
  recount(account: Account): Promise<unknown>;
  /** Told where nobody knows any more what a write came to. */
  missed(account: Account): Promise<void>;
  readonly announce: Announce;
}

/** What accounts hold and may hold. Every charge is decided by one conditional update in the database. */
export interface Quota {
  /** @throws not_found for an account that is not there */
  usage(account: Account): Promise<Usage>;
  /**
   * Reserves on the account and its tenant in one step, or not at all. `own` is what the same write has reserved before;
   * it is told apart in the error. Held by this process, or by the holder named. @throws quota_exceeded, unavailable, RecountOwed
   */
  reserve(account: Account, want: Count, own: Count, holder?: string): Promise<void>;
  /** Gives `reserved` back and books what was really taken (or given back, when negative). `also` joins the transaction. */
  settle(account: Account, reserved: Count, actual: Count, also?: Also): Promise<void>;
  /** What a holder that outlives processes has reserved on the account. */
  held(account: Account, holder: string): Promise<Count>;
  /** Gives back all that such a holder has reserved, and books `actual`. `also` joins the transaction. */
  settleHeld(account: Account, holder: string, actual: Count, also?: Also): Promise<void>;
  /** Runs `work`; when it met `RecountOwed`, counts and runs it again. Never call it while holding a path lock of the account. */
  afterRecount<T>(account: Account, work: () => Promise<T>): Promise<T>;
  /** Settles what could not be settled when its time came, because the database was away. */
  mend(): Promise<void>;
}

const ATTEMPTS = 4;
const MAX_UNSETTLED = 10_000;

export function openQuota(parts: QuotaParts): Quota {
  const { db, instance } = parts;
  const unsettled: { readonly account: Account; readonly reserved: Count }[] = [];

  async function reserve(account: Account, want: Count, own: Count, holder = instance): Promise<void> {
    parts.demandAlive();
    // What takes nothing is let through: on a full disk, removing is the way out.
    if (want.bytes > 0 || want.files > 0) await parts.disk.demandRoom(want.bytes);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const outcome = await ledger.reserve(db, { instance: holder, ...account, ...want });
      if (outcome === 'ok') return;
      if (outcome === 'recount') throw new RecountOwed(`${nameAccount(account)} must be counted first`);
      const full = await explain(db, account, want, own);
      if (full !== null) throw full;
      // Room came free between the refusal and the look at it.
    }
    throw busy();
  }

  async function booked(account: Account, actual: Count, also: Also | undefined, book: Book): Promise<void> {
    await inTransaction(db, async (transaction) => {
      const accounts = await book(transaction);
      await also?.(transaction);
      await announceGrowth(parts.announce, transaction, account.tenant, accounts, actual);
    });
  }

  async function settle(account: Account, reserved: Count, actual: Count, also?: Also): Promise<void> {
    try {
      await booked(account, actual, also, (transaction) =>
        ledger.settle(transaction, { instance, ...account, reserved, actual }),
      );
    } catch (error) {
      if (unsettled.length < MAX_UNSETTLED) unsettled.push({ account, reserved });
      throw error;
    }
  }

  async function afterRecount<T>(account: Account, work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof RecountOwed)) throw error;
        await parts.recount(account);
      }
    }
    throw busy();
  }

  async function mend(): Promise<void> {
    for (let next = unsettled[0]; next !== undefined; next = unsettled[0]) {
      await ledger.settle(db, { instance, ...next.account, reserved: next.reserved, actual: NOTHING });
      unsettled.shift();
      // What the disk holds of it is not known any more, so it is counted before the next write.
      await ledger.markRecount(db, next.account);
      await parts.missed(next.account);
    }
  }

  return {
    usage: async (account) => toUsage(await readAccount(db, account)),
    reserve,
    settle,
    held: (account, holder) => readHold(db, { ...account, instance: holder }),
    settleHeld: (account, holder, actual, also) =>
      booked(account, actual, also, (transaction) => settleHold(transaction, { ...account, instance: holder, actual })),
    afterRecount,
    mend,
  };
}

async function readAccount(db: Database, account: Account): Promise<ledger.AccountState> {
  const row = await ledger.readAccount(db, account);
  if (row === null) throw new FsError('not_found', `${nameAccount(account)} does not exist`);
  return row;
}

/** Of an account that is being removed at this moment. */
export const NO_USAGE: Usage = { bytes: 0, files: 0, reservedBytes: 0, quotaBytes: 0, quotaFiles: 0 };

export function toUsage(row: ledger.AccountState): Usage {
  return {
    bytes: row.bytes,
    files: row.files,
    reservedBytes: row.reservedBytes,
    quotaBytes: row.limitBytes,
    quotaFiles: row.limitFiles,
  };
}

/** Says which account is full and by how much, or null where by now neither is. The narrower account speaks first. */
async function explain(db: Database, account: Account, want: Count, own: Count): Promise<FsError | null> {
  for (const part of [account.part, '']) {
    const full = explainOne({ ...account, part }, await readAccount(db, { ...account, part }), want, own);
    if (full !== null) return full;
  }
  return null;
}

function explainOne(account: Account, row: ledger.AccountState, want: Count, own: Count): FsError | null {
  const requested = add(own, want);
  const usedBytes = row.bytes + row.reservedBytes - own.bytes;
  if (row.limitBytes > 0 && usedBytes + requested.bytes > row.limitBytes) {
    const [used, limit, more] = [usedBytes, row.limitBytes, requested.bytes].map(size);
    return new FsError(
      'quota_exceeded',
      `${nameAccount(account)} holds ${used} of its ${limit} quota; this write needs ${more} more`,
      { used: usedBytes, limit: row.limitBytes, requested: requested.bytes, unit: 'bytes' },
    );
  }
  const usedFiles = row.files + row.reservedFiles - own.files;
  if (row.limitFiles > 0 && usedFiles + requested.files > row.limitFiles) {
    return new FsError(
      'quota_exceeded',
      `${nameAccount(account)} holds ${usedFiles} of its ${row.limitFiles} files and directories; this write needs ${requested.files} more`,
      { used: usedFiles, limit: row.limitFiles, requested: requested.files, unit: 'files' },
    );
  }
  return null;
}

function size(count: number): string {
  return bytes(count, { unitSeparator: ' ' }) ?? `${count} B`;
}

function busy(): FsError {
  return new FsError('unavailable', 'the quota ledger is changing too fast to decide on this write; try again', {
    retryAfterSeconds: 1,
  });
}
