import type { Clock } from '../clock.ts';
import type { Database } from '../db/schema.ts';
import { isWithin, type TreePath } from '../tree/path.ts';
import { openLeases, type PathGuard } from './leases.ts';

/**
 * Who may change which paths of a volume at this moment. Waiting is first come, first served; sets of paths are taken as
 * one, so two callers never wait for each other. Nothing here holds against a process inside a mount.
 */
export interface Locks {
  /** No other holder of one of these paths, or of a directory above them, runs meanwhile. */
  withPathLock<T>(volume: string, paths: Iterable<TreePath>, use: (guard: PathGuard) => Promise<T>): Promise<T>;
  /** As `withPathLock`, for these paths and everything below them; the root locks the whole volume. */
  withTreeLock<T>(volume: string, dirs: Iterable<TreePath>, use: (guard: PathGuard) => Promise<T>): Promise<T>;
  /** Resolves when everyone in this process who holds one of these paths now has let go of it. Keeps nobody waiting. */
  released(volume: string, paths: Iterable<TreePath>): Promise<void>;
}

export interface LockParts {
  readonly db: Database;
  readonly instance: string;
  readonly clock: Clock;
  /** True where other processes serve the same root: then every lock is a lease row in the database as well. */
  readonly severalProcesses: boolean;
}

export type { PathGuard } from './leases.ts';

interface Extent {
  readonly paths: ReadonlySet<TreePath>;
  readonly below: boolean;
}

interface Claim extends Extent {
  /** Earlier claims that overlap this one and have not been given back. */
  blockers: number;
  grant: () => void;
  readonly released: PromiseWithResolvers<void>;
}

export function openLocks(parts: LockParts): Locks {
  const leases = parts.severalProcesses ? openLeases(parts.db, parts.instance, parts.clock) : null;
  const volumes = new Map<string, Claim[]>();

  async function hold<T>(
    volume: string,
    paths: ReadonlySet<TreePath>,
    below: boolean,
    use: (guard: PathGuard) => Promise<T>,
  ): Promise<T> {
    const claim = await enter(volumes, volume, paths, below);
    try {
      if (leases === null) return await use({ check: async () => {} });
      return await leases.hold(volume, below ? null : paths, use);
    } finally {
      leave(volumes, volume, claim);
    }
  }

  return {
    withPathLock: (volume, paths, use) => hold(volume, new Set(paths), false, use),
    withTreeLock: (volume, dirs, use) => hold(volume, new Set(dirs), true, use),
    async released(volume, paths) {
      const asked = { paths: new Set(paths), below: false };
      const holders = (volumes.get(volume) ?? []).filter((claim) => claim.blockers === 0 && overlap(claim, asked));
      await Promise.all(holders.map((claim) => claim.released.promise));
    },
  };
}

async function enter(
  volumes: Map<string, Claim[]>,
  volume: string,
  paths: ReadonlySet<TreePath>,
  below: boolean,
): Promise<Claim> {
  const queue = volumes.get(volume) ?? [];
  volumes.set(volume, queue);
  const claim: Claim = { paths, below, blockers: 0, grant: () => {}, released: Promise.withResolvers() };
  claim.blockers = queue.filter((earlier) => overlap(earlier, claim)).length;
  queue.push(claim);
  if (claim.blockers > 0) {
    await new Promise<void>((resolve) => {
      claim.grant = resolve;
    });
  }
  return claim;
}

function leave(volumes: Map<string, Claim[]>, volume: string, claim: Claim): void {
  const queue = volumes.get(volume) ?? [];
  const at = queue.indexOf(claim);
  for (const later of queue.slice(at + 1)) {
    if (!overlap(claim, later)) continue;
    later.blockers -= 1;
    if (later.blockers === 0) later.grant();
  }
  queue.splice(at, 1);
  claim.released.resolve();
  if (queue.length === 0) volumes.delete(volume);
}

function overlap(one: Extent, other: Extent): boolean {
  if (!one.below && !other.below) return shareAPath(one.paths, other.paths);
  for (const mine of one.paths) {
    for (const theirs of other.paths) {
      if (one.below && isWithin(theirs, mine)) return true;
      if (other.below && isWithin(mine, theirs)) return true;
    }
  }
  return false;
}

function shareAPath(one: ReadonlySet<TreePath>, other: ReadonlySet<TreePath>): boolean {
  const [few, many] = one.size < other.size ? [one, other] : [other, one];
  for (const path of few) if (many.has(path)) return true;
  return false;
}
