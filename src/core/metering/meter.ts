import type { Clock } from '../../clock.ts';
import { addTransfers, type MeterOf, type Transfers } from '../../db/meter.ts';
import type { Database } from '../../db/schema.ts';
import type { TenantId } from '../../ids.ts';
import type { Log } from '../../log.ts';
import { dayOf } from './days.ts';
import { type NameLimits, Names } from './meter-names.ts';
import type { Day, Transfer } from './metering-types.ts';

/** Adds up what requests move, and writes it down together, so that no request waits for its being counted. */
export interface Meter {
  count(transfer: Transfer): void;
  /** Resolves once all that was counted before is in the database. @throws what the database fails with; nothing is lost then */
  flush(): Promise<void>;
  /** Drops what waits to be written down of a tenant that is being removed. */
  forget(tenant: TenantId): Promise<void>;
  /** Writes down the rest. */
  close(): Promise<void>;
}

export interface MeterParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: MeterLimits;
}

export interface MeterLimits {
  readonly names: NameLimits;
  /** How many users and agents are told apart in what waits to be written down. */
  readonly waiting: number;
}

/** A few hundred bytes of memory for each that waits, and some ten for each name of a day. */
const LIMITS: MeterLimits = { names: { ofTenant: 100_000, ofAll: 1_000_000, assured: 1000 }, waiting: 5000 };
/** What a process that is killed may lose. */
const FLUSH_MS = 1000;

/** What was transferred in one day by one user, one agent, or by whom nobody knows. */
type Tally = MeterOf & { readonly day: Day } & { -readonly [K in keyof Transfers]: number };

export function openMeter({ db, clock, log, limits = LIMITS }: MeterParts): Meter {
  const names = new Names(limits.names);
  let waiting = new Map<string, Tally>();
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();

  function count(transfer: Transfer): void {
    const of = { tenant: transfer.tenant, userId: transfer.userId ?? '', agentId: transfer.agentId ?? '' };
    const day = dayOf(clock());
    addTo(waiting.get(keyOf(of, day)) ?? tallyOf(waiting, mayName(of, day) ? of : unnamed(of), day), transfer);
    timer ??= setTimeout(writeLater, FLUSH_MS).unref();
  }

  function mayName({ tenant, userId, agentId }: MeterOf, day: Day): boolean {
    if (userId === '' && agentId === '') return true;
    return waiting.size < limits.waiting && names.admits(tenant, day, `${agentId}\n${userId}`);
  }

  function writeLater(): void {
    flush().catch((error: unknown) =>
      log.error({ err: error }, 'usage could not be written down; it is kept for later'),
    );
  }

  function flush(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    writing = writing.catch(() => {}).then(write);
    return writing;
  }

  async function write(): Promise<void> {
    if (waiting.size === 0) return;
    const counted = waiting;
    waiting = new Map();
    try {
      await addTransfers(db, rowsOf(counted));
    } catch (error) {
      for (const tally of counted.values()) addTo(tallyOf(waiting, tally, tally.day), tally);
      timer ??= setTimeout(writeLater, FLUSH_MS).unref();
      throw error;
    }
  }

  async function forget(tenant: TenantId): Promise<void> {
    await writing.catch(() => {});
    for (const [key, tally] of waiting) if (tally.tenant === tenant) waiting.delete(key);
  }

  async function close(): Promise<void> {
    await flush().catch((error: unknown) => log.error({ err: error }, 'the usage of the last second was lost'));
    if (timer !== null) clearTimeout(timer);
  }

  return { count, flush, forget, close };
}

/** No two rows have one key: neither tenants nor agents nor days have a line break in them, and the user comes last. */
function keyOf({ tenant, userId, agentId }: MeterOf, day: Day): string {
  return `${day}\n${tenant}\n${agentId}\n${userId}`;
}

function unnamed({ tenant }: MeterOf): MeterOf {
  return { tenant, userId: '', agentId: '' };
}

/** What is counted for a key, begun where it is not there. */
function tallyOf(tallies: Map<string, Tally>, { tenant, userId, agentId }: MeterOf, day: Day): Tally {
  const key = keyOf({ tenant, userId, agentId }, day);
  const known = tallies.get(key);
  if (known !== undefined) return known;
  const tally = { tenant, userId, agentId, day, uploads: 0, downloads: 0, bytesIn: 0, bytesOut: 0 };
  tallies.set(key, tally);
  return tally;
}

function addTo(tally: Tally, more: Transfers): void {
  tally.uploads += more.uploads;
  tally.downloads += more.downloads;
  tally.bytesIn += more.bytesIn;
  tally.bytesOut += more.bytesOut;
}

/** Every row that what was counted belongs to: of its tenant, and of its user, its agent and both where it has them. */
function rowsOf(counted: ReadonlyMap<string, Tally>): readonly Tally[] {
  const rows = new Map<string, Tally>();
  for (const tally of counted.values()) {
    for (const userId of new Set([tally.userId, ''])) {
      for (const agentId of new Set([tally.agentId, ''])) {
        addTo(tallyOf(rows, { ...tally, userId, agentId }, tally.day), tally);
      }
    }
  }
  return [...rows.values()];
}
