import { demand, type Grant } from '../auth/grant.ts';
import { extendRun, findLiveRun, findRun, listRuns, type StoredRun } from '../db/runs.ts';
import { FsError } from '../errors.ts';
import type { AgentId, RunId, TenantId } from '../ids.ts';
import type { FileObject, FinalStatus, Run, Runs } from './core.ts';
import { deliver, deliverMissed } from './delivery.ts';
import { type LiveCaptures, openLiveCaptures } from './live-capture.ts';
import { decodeCursor, pageOf } from './paging.ts';
import { endedOtherwise, finishRun } from './run-finish.ts';
import { outputsPage, seededPage, skippedOf } from './run-pages.ts';
import { type RunParts, recordEnd, toRun } from './run-parts.ts';
import { adoptRuns, type Recovery, sweepRuns } from './run-recovery.ts';
import { type Preparations, seedOnce, startRun } from './run-start.ts';

export type { RunParts } from './run-parts.ts';

/** Runs, and what the daemon does with them besides answering requests. */
export interface InnerRuns extends Runs {
  /** Puts a new input into its user's live workspaces. Never throws: it is no part of the upload. */
  deliver(tenant: TenantId, object: FileObject): Promise<void>;
  /** Ends what is overdue, takes over what no process looks after. To be called every few seconds. */
  sweep(): Promise<void>;
  /** Takes over the live runs of these instances. */
  recover(dead: readonly string[]): Promise<void>;
  /** Cancels the live run of a workspace that is about to be removed, without capture. */
  abandon(tenant: TenantId, agent: AgentId): Promise<void>;
  /** At the start of a process: takes over what earlier ones left when they stopped. */
  resume(): Promise<void>;
  /** Waits for what is being captured. Runs go on: another process, or the next, looks after them. */
  close(): Promise<void>;
}

export function openRuns(parts: RunParts): InnerRuns {
  const live = openLiveCaptures(parts);
  const preparations: Preparations = new Map();
  const recovery: Recovery = { parts, live, preparations, finishes: new Map() };
  return {
    ...answers(parts, live, preparations),
    ...pages(parts),
    deliver: (tenant, object) => deliver(parts, tenant, object),
    sweep: () => sweepRuns(recovery),
    recover: (dead) => adoptRuns(recovery, dead),
    abandon: (tenant, agent) => abandon(parts, live, preparations, tenant, agent),
    resume: () => adoptRuns(recovery, []),
    async close() {
      await Promise.all([...preparations.values()].map(({ ended }) => ended));
      await Promise.all(recovery.finishes.values());
      await live.close();
    },
  };
}

function answers(
  parts: RunParts,
  live: LiveCaptures,
  preparations: Preparations,
): Pick<Runs, 'start' | 'seedOnce' | 'heartbeat' | 'finish'> {
  return {
    async start(grant, agent, wanted) {
      const run = await startRun(parts, preparations, grant, agent, wanted);
      await live.watch(run);
      await deliverMissed(parts, run);
      return toRun((await findRun(parts.db, run.id)) ?? run);
    },

    seedOnce: (grant, agent, seeds) => seedOnce(parts, preparations, grant, agent, seeds),

    async heartbeat(grant, agent, id) {
      const run = await findVisible(parts, grant, agent, id, 'runs:write');
      if (run.status === 'preparing') throw new FsError('conflict', `run ${id} is still being prepared`);
      const deadlineAt = parts.clock().getTime() + run.timeout_seconds * 1000;
      const extended = await extendRun(parts.db, id, deadlineAt);
      const current = await findVisible(parts, grant, agent, id, 'runs:write');
      if (!extended) throw endedOtherwise(id, current.finishing ?? current.status);
      return toRun(current);
    },

    async finish(grant, agent, id, status) {
      const run = await findVisible(parts, grant, agent, id, 'runs:write');
      return toRun(await finishHere(parts, live, run, status));
    },
  };
}

async function finishHere(
  parts: RunParts,
  live: LiveCaptures,
  run: StoredRun,
  status: FinalStatus,
): Promise<StoredRun> {
  await live.stop(run.id);
  try {
    return await finishRun(parts, run, status);
  } catch (error) {
    const current = await findRun(parts.db, run.id).catch(() => null);
    if (current?.status === 'running' && current.finishing === null) await live.watch(current);
    throw error;
  }
}

function pages(parts: RunParts): Pick<Runs, 'get' | 'list' | 'seeded' | 'outputs' | 'skipped'> {
  return {
    get: async (grant, agent, id): Promise<Run> => toRun(await findVisible(parts, grant, agent, id, 'runs:read')),

    async list(grant, agent, { limit, cursor }) {
      demand(grant, 'runs:read', { kind: 'workspace', tenant: grant.tenant, agent });
      const before = decodeCursor(cursor);
      const of = { tenant: grant.tenant, agent, userId: grant.user };
      const rows = await listRuns(parts.db, of, { before, limit: limit + 1 });
      return pageOf(rows.map(toRun), limit, (run) => run.id);
    },

    seeded: (run, page) => seededPage(parts.db, run, page),
    outputs: (grant, run, page) => outputsPage(parts.db, grant, run, page),
    skipped: (run) => skippedOf(parts.db, run),
  };
}

/** @throws not_found for another workspace's, another user's and another tenant's run alike; forbidden */
async function findVisible(
  parts: RunParts,
  grant: Grant,
  agent: AgentId,
  id: RunId,
  scope: 'runs:read' | 'runs:write',
): Promise<StoredRun> {
  demand(grant, scope, { kind: 'workspace', tenant: grant.tenant, agent });
  const run = await findRun(parts.db, id);
  const isVisible =
    run !== null &&
    run.tenant === grant.tenant &&
    run.agent === agent &&
    (grant.user === null || run.user_id === grant.user);
  if (!isVisible) throw new FsError('not_found', `there is no run ${id} of agent ${agent}`, { path: id });
  return run;
}

async function abandon(
  parts: RunParts,
  live: LiveCaptures,
  preparations: Preparations,
  tenant: TenantId,
  agent: AgentId,
): Promise<void> {
  const run = await findLiveRun(parts.db, tenant, agent);
  if (run !== null) {
    const preparation = preparations.get(run.id);
    preparation?.abort.abort(new FsError('conflict', `workspace ${agent} was removed while its run was prepared`));
    await preparation?.ended;
    await live.stop(run.id);
    await recordEnd(parts, run, 'cancelled');
  }
}
