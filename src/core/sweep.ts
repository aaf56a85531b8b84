import type { Clock } from '../clock.ts';
import { listExpired } from '../db/agents.ts';
import { pruneChanges, removeUnasked } from '../db/changes.ts';
import { listOrphans } from '../db/contents.ts';
import { sweepLocks } from '../db/locks.ts';
import type { Database } from '../db/schema.ts';
import type { AgentId, TenantId } from '../ids.ts';
import type { Log } from '../log.ts';
import type { DataRoot } from '../tree/root.ts';
import { type Burial, livingOwners } from './burial.ts';
import { whileClaimed } from './claim.ts';
import type { Agents } from './core.ts';
import type { CoreMetrics } from './core-parts.ts';
import type { Contents } from './objects/contents.ts';
import type { Quota } from './quota.ts';

/** What time alone causes. */
export interface Sweeper {
  /** Everything that is due, and the clearing of every staging area. */
  sweep(): Promise<void>;
  /** Begins to look every few seconds at what is due, and every hour at all. */
  start(): void;
  /** Ends after the round that is under way. */
  close(): Promise<void>;
}

export interface SweepParts {
  readonly db: Database;
  readonly root: DataRoot;
  readonly clock: Clock;
  readonly instance: string;
  readonly log: Log;
  readonly metrics: Pick<CoreMetrics, 'swept'>;
  readonly quota: Quota;
  readonly burial: Burial;
  readonly contents: Contents;
  readonly agents: Pick<Agents, 'remove'>;
  /** How far back changes are kept. */
  readonly eventsRetentionMs: number;
  readonly chores: readonly Chore[];
}

/** Something that is due now and then, done in every round by one process of all. */
export interface Chore {
  /** As the log names it: `expired slots`. */
  readonly what: string;
  /** Does a bounded part of what is due. What it throws is logged, keeps no other chore from being done, and the next round tries again. */
  work(): Promise<void>;
}

const ROUND_MS = 2000;
const FULL_ROUND_MS = 3_600_000;
const AT_A_TIME = 100;
const LOCKS_AT_A_TIME = 10_000;
const CHANGES_AT_A_TIME = 10_000;

export function openSweeper(parts: SweepParts): Sweeper {
  let timer: NodeJS.Timeout | null = null;
  let underWay: Promise<void> = Promise.resolve();
  let isBusy = false;
  let sweptAllAt = Number.NEGATIVE_INFINITY;
  const chores: readonly Chore[] = [
    ...parts.chores,
    { what: 'expired workspaces', work: () => removeExpired(parts) },
    { what: 'content of no object', work: () => dropOrphans(parts) },
    { what: 'old changes', work: () => forgetChanges(parts) },
  ];

  async function done({ what, work }: Chore): Promise<void> {
    await work().catch((error: unknown) =>
      parts.log.error({ err: error, chore: what }, 'a chore failed; the next round tries again'),
    );
  }

  async function round(all: boolean): Promise<void> {
    await parts.quota.mend();
    await parts.burial.bury();
    await whileClaimed(parts, 'daemon/sweep', async () => {
      for (const chore of chores) await done(chore);
      if (!all) return;
      parts.metrics.swept('lock', await sweepLocks(parts.db, parts.clock().getTime(), LOCKS_AT_A_TIME));
      await sweepStaging(parts);
    });
  }

  /** One round after the other: of two at a time, one would keep the other out. */
  function next(all: boolean): Promise<void> {
    const mine = underWay.then(() => round(all));
    underWay = mine.catch(() => {});
    return mine;
  }

  function tick(): void {
    if (isBusy) return;
    isBusy = true;
    const all = performance.now() - sweptAllAt > FULL_ROUND_MS;
    if (all) sweptAllAt = performance.now();
    next(all)
      .catch((error: unknown) =>
        parts.log.error({ err: error }, 'a round of sweeping failed; the next one tries again'),
      )
      .finally(() => {
        isBusy = false;
      });
  }

  return {
    sweep: () => next(true),
    start() {
      timer = setInterval(tick, ROUND_MS);
      timer.unref();
    },
    async close() {
      if (timer !== null) clearInterval(timer);
      await underWay;
    },
  };
}

/** Workspaces whose time without a run is over. */
async function removeExpired({ db, clock, agents, log, metrics }: SweepParts): Promise<void> {
  for (const row of await listExpired(db, clock().getTime(), AT_A_TIME)) {
    // Not forced: a run that began since keeps its workspace.
    try {
      await agents.remove(row.tenant as TenantId, row.id as AgentId, { force: false });
      metrics.swept('agent', 1);
      log.info({ tenant: row.tenant, agent: row.id }, 'an expired workspace was removed');
    } catch (error) {
      log.warn({ err: error, tenant: row.tenant, agent: row.id }, 'an expired workspace could not be removed yet');
    }
  }
}

/** Bytes whose last object went while a crash kept them. */
async function dropOrphans({ db, contents, log, metrics }: SweepParts): Promise<void> {
  for (const { tenant, sha256 } of await listOrphans(db, AT_A_TIME)) {
    try {
      if (await contents.dropIfOrphaned(tenant as TenantId, sha256)) metrics.swept('content', 1);
    } catch (error) {
      log.warn({ err: error, tenant, sha256 }, 'content that no file has could not be removed yet');
    }
  }
}

/** Changes too old to be told, and the feeds of volumes that nobody has asked about for as long. */
async function forgetChanges({ db, clock, eventsRetentionMs }: SweepParts): Promise<void> {
  const oldest = clock().getTime() - eventsRetentionMs;
  await pruneChanges(db, oldest, CHANGES_AT_A_TIME);
  await removeUnasked(db, oldest, AT_A_TIME);
}

async function sweepStaging({ db, root, metrics }: SweepParts): Promise<void> {
  const living = livingOwners(db);
  for await (const segments of root.homes()) {
    const home = await root.open(segments);
    metrics.swept('staging', await home.staging.sweep(living));
  }
}
