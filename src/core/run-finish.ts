import { findAgent } from '../db/agents.ts';
import { claimFinish, findRun, handOver, type StoredRun, setCapture, usedUpWorkspaces } from '../db/runs.ts';
import { pageSeeds } from '../db/seeds.ts';
import { FsError } from '../errors.ts';
import type { AgentId, TenantId } from '../ids.ts';
import { ROOT } from '../tree/path.ts';
import { openCapture } from './capture.ts';
import { openWorkspace } from './copy-in.ts';
import type { FinalStatus } from './core.ts';
import { runLock } from './delivery.ts';
import type { PathGuard } from './locks.ts';
import { captureRulesOf, type RunParts, recordEnd, workspaceOf } from './run-parts.ts';
import { storedPath } from './stored-path.ts';
import { systemGrant } from './system-grant.ts';

const SEEDS_PER_PAGE = 500;

/**
 * Ends a run: everything that changed is captured, the ledger made true, and only then the status is final. Several callers
 * take turns by the run's lock, so each sees the one result; a finish that a crash cut off is completed by the next caller or
 * by the recovery. `overdueAt` ends it only if its deadline had passed by then.
 * @throws conflict when it is still prepared, or ended or is ending otherwise; unavailable when it has to be tried again
 */
export async function finishRun(
  parts: RunParts,
  run: StoredRun,
  status: FinalStatus,
  overdueAt: Date | null = null,
): Promise<StoredRun> {
  return parts.locks.withPathLock(runLock(run), [ROOT], async (guard) => {
    const claimed = await claim(parts, run, status, overdueAt);
    if (claimed === null || claimed.status !== 'running') return demandSame(claimed ?? run, status);
    try {
      await complete(parts, claimed, status, guard);
    } catch (error) {
      // Whoever looks for abandoned runs next completes it, should nobody ask again.
      await handOver(parts.db, run.id, parts.instance, '').catch(() => false);
      throw error;
    }
    return demandSame(await demandRun(parts, run.id), status);
  });
}

/** The run as it is now: `running` and ours to finish, or ended. null when it is not overdue after all. */
async function claim(
  parts: RunParts,
  run: StoredRun,
  status: FinalStatus,
  overdueAt: Date | null,
): Promise<StoredRun | null> {
  const claimed = await claimFinish(parts.db, run.id, status, parts.instance, overdueAt?.getTime() ?? null);
  const current = await demandRun(parts, run.id);
  if (current.status === 'preparing') throw new FsError('conflict', `run ${run.id} is still being prepared`);
  if (claimed || current.status !== 'running') return current;
  if (current.finishing === null) return null;
  // With the lock held nobody works on it: a finish that began earlier did not get to its end.
  if (current.finishing !== status) throw endedOtherwise(run.id, current.finishing);
  await handOver(parts.db, run.id, current.instance, parts.instance);
  return current;
}

/** @throws not_found when the run went with its workspace */
async function demandRun(parts: RunParts, id: string): Promise<StoredRun> {
  const run = await findRun(parts.db, id);
  if (run === null) throw new FsError('not_found', `there is no run ${id}`, { path: id });
  return run;
}

function demandSame(run: StoredRun, status: FinalStatus): StoredRun {
  if (run.status === 'preparing' || run.status === 'running' || run.status === status) return run;
  throw endedOtherwise(run.id, run.status);
}

export function endedOtherwise(id: string, status: string): FsError {
  return new FsError('conflict', `run ${id} has ended as ${status}`, { path: id });
}

async function complete(parts: RunParts, run: StoredRun, status: FinalStatus, guard: PathGuard): Promise<void> {
  const ref = workspaceOf(run);
  const rules = captureRulesOf(run);
  if (rules.enabled) await capture(parts, run);
  const agent = await findAgent(parts.db, ref.tenant, ref.agent);
  if (agent?.shared === 1) {
    // What is taken out must not look deleted to a capture that runs again after a crash.
    await setCapture(parts.db, run.id, JSON.stringify({ ...rules, enabled: false }));
    await takeOutInputs(parts, run);
  }
  await parts.volumes.recount(ref);
  await guard.check();
  const keepPlace = agent?.lifecycle === 'ephemeral';
  await recordEnd(parts, run, status, { keepPlace });
  if (keepPlace) await retire(parts, ref.tenant, ref.agent);
}

async function capture(parts: RunParts, run: StoredRun): Promise<void> {
  const began = performance.now();
  const ref = workspaceOf(run);
  const system = systemGrant(ref.tenant);
  // For reading: capture changes nothing in the workspace.
  const volume = await parts.volumes.open(system, ref, 'read');
  const files = await openCapture(parts, run, volume, system).settle();
  parts.metrics.capture((performance.now() - began) / 1000, files);
}

/** The next user of a shared workspace must not find the files of this one, also not where the agent edited them. */
async function takeOutInputs(parts: RunParts, run: StoredRun): Promise<void> {
  const volume = await openWorkspace(parts, run);
  for (let after = -1; ; ) {
    const seeds = await pageSeeds(parts.db, run.id, { after, limit: SEEDS_PER_PAGE, automatic: true });
    const last = seeds.at(-1);
    if (last === undefined) return;
    for (const seed of seeds) {
      try {
        await volume.remove(storedPath(seed.path), { recursive: false });
      } catch (error) {
        // The agent removed it, or put something else there that nobody put in automatically.
        if (!(error instanceof FsError) || error.code === 'unavailable' || error.code === 'internal') throw error;
      }
    }
    after = last.n;
  }
}

/** Removes an ephemeral workspace whose run is over, and frees its place. False where it failed: `removeUsedUp` tries again. */
async function retire(parts: RunParts, tenant: TenantId, agent: AgentId): Promise<boolean> {
  try {
    await parts.agents.retire(tenant, agent);
    return true;
  } catch (error) {
    parts.log.warn({ err: error, agent }, 'an ephemeral workspace could not be removed yet');
    return false;
  }
}

/** Removes ephemeral workspaces that a crash left behind after their run. */
export async function removeUsedUp(parts: RunParts, limit: number): Promise<void> {
  for (const { tenant, agent } of await usedUpWorkspaces(parts.db, limit)) {
    // The columns were filled from ids of these kinds.
    if (await retire(parts, tenant as TenantId, agent as AgentId)) parts.metrics.swept('agent', 1);
  }
}
