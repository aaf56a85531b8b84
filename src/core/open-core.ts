import { dropHolds } from '../db/holds.ts';
import type { AgentId, TenantId } from '../ids.ts';
import { openAgents } from './agents.ts';
import { openAttributes } from './attributes.ts';
import { openBurial } from './burial.ts';
import { openContents } from './contents.ts';
import type { Core } from './core.ts';
import type { CoreParts } from './core-parts.ts';
import { openDisk } from './disk.ts';
import { openInstances, thisProcess } from './instances.ts';
import { openKeys } from './keys.ts';
import { openLocks } from './locks.ts';
import { type InnerObjects, openObjects } from './objects.ts';
import { openQuota } from './quota.ts';
import { openRecounts } from './recount.ts';
import { openRuns } from './runs.ts';
import { openSweeper } from './sweep.ts';
import { openTenants } from './tenants.ts';
import { openVolumes } from './volumes.ts';
import { openWorkspaces } from './workspaces.ts';

export type { CoreParts } from './core-parts.ts';

export interface InnerCore extends Core {
  readonly objects: InnerObjects;
  /** Everything that time alone causes, now: the burial of dead processes, run time-outs, the clearing of staging. */
  sweep(): Promise<void>;
  /** Says goodbye: what is under way ends, and nobody has to bury this process. Requests must have ended before. */
  close(): Promise<void>;
}

/**
 * Opens the product over an open database and data root: makes this process known, puts in order what dead ones left, and
 * begins to sweep. Nothing may be served before this resolves.
 */
export async function openCore(parts: CoreParts): Promise<InnerCore> {
  const { db, root, clock, log, instance, limits } = parts;
  const instances = await openInstances({ db, clock, log, identity: thisProcess(instance) });
  const locks = openLocks({ db, instance, clock, severalProcesses: parts.severalProcesses });
  const recounts = openRecounts({ db, root, locks });
  const quota = openQuota({
    db,
    instance,
    disk: openDisk(root, limits.diskReserveBytes),
    demandAlive: instances.demandAlive,
    recount: recounts.recount,
    onRefused: parts.metrics.quotaRefused,
  });
  const abandonRun = (tenant: TenantId, agent: AgentId): Promise<void> => runs.abandon(tenant, agent);
  const workspaces = openWorkspaces({ db, clock, defaults: limits.workspace });
  const volumes = openVolumes({ db, root, instance, quota, locks, recounts, workspaces });
  const agents = openAgents({ db, root, locks, volumes, workspaces, owner: parts.mountOwner, abandonRun });
  const contents = openContents({ db, root, locks });
  const { links } = parts;
  const objects = openObjects({
    ...{ db, clock, quota, locks, contents, links },
    onKept: (tenant, object) => runs.deliver(tenant, object),
  });
  const runs = openRuns({
    ...{ db, clock, instance, volumes, objects, agents, locks, log },
    watchMaxDirs: limits.watchMaxDirs,
  });
  const tenants = openTenants({
    ...{ db, root, clock, abandonRun },
    defaults: limits.tenant,
    autocreate: limits.tenantAutocreate,
  });
  const burial = openBurial({ db, root, instances, contents, recounts, log, recoverRuns: runs.recover });
  const sweeper = openSweeper({
    ...{ db, root, clock, instance, log, quota, burial, contents, agents },
    sweepRuns: runs.sweep,
  });
  async function close(): Promise<void> {
    await sweeper.close();
    await runs.close();
    await burial.close();
    await quota.mend();
    await dropHolds(db, instance);
    await instances.close();
  }

  try {
    await burial.bury();
    await runs.resume();
  } catch (error) {
    await close();
    throw error;
  }
  sweeper.start();
  return {
    tenants,
    keys: openKeys({ db, clock }),
    agents,
    volumes,
    attributes: openAttributes(db),
    objects,
    runs,
    sweep: sweeper.sweep,
    close,
  };
}
