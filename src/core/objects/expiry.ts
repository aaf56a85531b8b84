import type { Clock } from '../../clock.ts';
import { listExpiredObjects } from '../../db/objects.ts';
import type { Database } from '../../db/schema.ts';
import type { ObjectId, TenantId } from '../../ids.ts';
import type { Log } from '../../log.ts';
import { forEachOf } from '../../tree/pool.ts';
import type { CoreMetrics } from '../core-parts.ts';
import type { Chore } from '../sweep.ts';
import type { InnerObjects } from './objects.ts';

export interface ExpiryParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<CoreMetrics, 'swept'>;
  readonly objects: Pick<InnerObjects, 'expire'>;
}

const IN_A_ROUND = 400;
const AT_ONCE = 8;

/**
 * Removes objects whose time is over. Copies of them in workspaces live on; and while a tenant prepares a run, its objects
 * stay, so that the run loses nothing it is about to copy.
 */
export function expiredObjects({ db, clock, log, metrics, objects }: ExpiryParts): Chore {
  async function remove({ tenant, id }: { readonly tenant: string; readonly id: string }): Promise<void> {
    try {
      // The columns were filled from ids of these kinds.
      if (!(await objects.expire(tenant as TenantId, id as ObjectId))) return;
      metrics.swept('object', 1);
      log.info({ tenant, object: id }, 'an expired file was removed');
    } catch (error) {
      log.warn({ err: error, tenant, object: id }, 'an expired file could not be removed yet');
    }
  }
  return {
    what: 'expired files',
    work: async () => {
      await forEachOf(await listExpiredObjects(db, clock().getTime(), IN_A_ROUND), AT_ONCE, remove);
    },
  };
}
