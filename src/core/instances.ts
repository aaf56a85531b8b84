import type { Clock } from '../clock.ts';
import * as rows from '../db/instances.ts';
import type { Database, InstanceRow } from '../db/schema.ts';
import { FsError } from '../errors.ts';
import { hostIdentity, processStart } from '../host.ts';
import type { Log } from '../log.ts';

/** A daemon process as others can recognise it. The id is made anew at every start. */
export type ProcessIdentity = Pick<InstanceRow, 'id' | 'host' | 'pid' | 'process_start'>;

/** This process as an instance with this id. */
export function thisProcess(id: string): ProcessIdentity {
  return { id, host: hostIdentity(), pid: process.pid, process_start: processStart(process.pid) ?? '' };
}

/** The daemon processes that share a database, each alive for as long as it renews its lease. */
export interface Instances {
  /** @throws unavailable while this process could not renew its lease and others may take it for dead */
  demandAlive(): void;
  /** Processes that are registered and alive no more. */
  dead(): Promise<readonly string[]>;
  /** Renews the lease now, besides the timer. */
  renew(): Promise<void>;
  /** Stops renewing and takes this process off the list. */
  close(): Promise<void>;
}

export interface InstancesParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly identity: ProcessIdentity;
  readonly log: Log;
}

const LEASE_MS = 6000;
const RENEW_MS = 2000;

/** Registers this process and keeps its lease. */
export async function openInstances(parts: InstancesParts): Promise<Instances> {
  const { db, clock, identity, log } = parts;
  const leaseUntil = () => clock().getTime() + LEASE_MS;
  // Measured by a clock that nobody sets: only it says how long this process was held up.
  let renewedAt = performance.now();

  async function register(): Promise<void> {
    const started = clock().getTime();
    await rows.registerInstance(db, { ...identity, started_at: started, lease_until: leaseUntil() });
  }

  async function renew(): Promise<void> {
    const askedAt = performance.now();
    if (!(await rows.renewLease(db, identity.id, leaseUntil()))) {
      log.warn({ instance: identity.id }, 'this process was held up, taken for dead by another, and registers again');
      await register();
    }
    renewedAt = askedAt;
  }

  await register();
  const timer = setInterval(() => {
    renew().catch((error: unknown) => log.error({ err: error }, 'the lease of this process could not be renewed'));
  }, RENEW_MS);
  timer.unref();

  return {
    demandAlive() {
      if (performance.now() - renewedAt <= LEASE_MS) return;
      throw new FsError('unavailable', 'the daemon lost touch with its database and takes no writes until it is back', {
        retryAfterSeconds: 1,
      });
    },

    async dead() {
      const now = clock().getTime();
      const others = (await rows.listInstances(db)).filter((row) => row.id !== identity.id);
      return others.filter((row) => isDead(row, identity.host, now)).map((row) => row.id);
    },

    renew,

    async close() {
      clearInterval(timer);
      await rows.removeInstance(db, identity.id);
    },
  };
}

/** A process of this host is seen to be gone at once; of any other only its lease tells. */
function isDead(row: InstanceRow, host: string, now: number): boolean {
  if (row.host === host && row.process_start !== '') return processStart(row.pid) !== row.process_start;
  return row.lease_until < now;
}
