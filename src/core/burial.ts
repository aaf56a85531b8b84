import type { Clock } from '../clock.ts';
import { buryHolds } from '../db/holds.ts';
import { isOwnerLiving, removeInstance } from '../db/instances.ts';
import { releaseLocksOf } from '../db/locks.ts';
import type { Database } from '../db/schema.ts';
import { isUploadOpen } from '../db/uploads.ts';
import { buryWatches } from '../db/watches.ts';
import type { TenantId } from '../ids.ts';
import type { Log } from '../log.ts';
import { partialIdOf } from '../tree/partial.ts';
import type { DataRoot } from '../tree/root.ts';
import type { Living } from '../tree/staging.ts';
import { type Account, homeOf, nameAccount } from './account.ts';
import type { CoreMetrics } from './core-parts.ts';
import type { Instances } from './instances.ts';
import type { Contents } from './objects/contents.ts';
import type { Recounts } from './recount.ts';

/** Puts in order what processes left that stopped without a goodbye. */
export interface Burial {
  /**
   * Finds dead processes, gives back what they had reserved and locked, takes over their runs, and clears their staging.
   * Counting what they wrote to goes on in the background. Several processes may do this at once, and again after a failure.
   */
  bury(): Promise<void>;
  /** Ends after the counting that is under way. */
  close(): Promise<void>;
}

export interface BurialParts {
  readonly db: Database;
  readonly root: DataRoot;
  readonly clock: Clock;
  readonly instances: Instances;
  readonly contents: Contents;
  readonly recounts: Recounts;
  readonly log: Log;
  readonly metrics: Pick<CoreMetrics, 'swept'>;
  recoverRuns(dead: readonly string[]): Promise<void>;
}

export function openBurial(parts: BurialParts): Burial {
  let counting: Promise<void> = Promise.resolve();
  let closed = false;

  async function recount(accounts: readonly Account[]): Promise<void> {
    for (const account of accounts) {
      if (closed) return;
      await parts.recounts.recount(account).catch((error: unknown) => {
        parts.log.warn({ err: error, account: nameAccount(account) }, 'counting again has to wait for the next write');
      });
    }
  }

  return {
    async bury() {
      const dead = await parts.instances.dead();
      if (dead.length === 0) return;
      parts.log.warn({ dead }, 'found daemon processes that stopped without a goodbye; putting their work in order');
      const accounts: Account[] = [];
      for (const id of dead) {
        const now = parts.clock().getTime();
        const held = await buryHolds(parts.db, id, now);
        await buryWatches(parts.db, id, now);
        // The columns were filled from ids of these kinds.
        accounts.push(...held.map(({ tenant, part }) => ({ tenant: tenant as TenantId, part })));
        await releaseLocksOf(parts.db, id);
      }
      await parts.recoverRuns(dead);
      for (const id of dead) await removeInstance(parts.db, id);
      for (const account of accounts) await sweepHome(parts, account);
      counting = counting.then(() => recount(accounts));
    },

    async close() {
      closed = true;
      await counting;
    },
  };
}

/** Who owns things in staging: asked of the database each time, so that nobody who came meanwhile is missed. */
export function livingOwners(db: Database): Living {
  return {
    has(owner) {
      const partial = partialIdOf(owner);
      return partial === null ? isOwnerLiving(db, owner) : isUploadOpen(db, partial);
    },
  };
}

async function sweepHome({ db, root, contents, metrics }: BurialParts, account: Account): Promise<void> {
  const home = await root.open(homeOf(account));
  metrics.swept('staging', await home.staging.sweep(livingOwners(db)));
  if (account.part === 'objects') metrics.swept('content', await contents.sweep(account.tenant));
}
