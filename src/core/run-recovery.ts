import { abandonedRuns, dropRun, handOver, overdueRuns, type StoredRun } from '../db/runs.ts';
import { accountOf } from './account.ts';
import { deliverMissed } from './delivery.ts';
import { rollBack } from './journal.ts';
import type { LiveCaptures } from './live-capture.ts';
import { finishRun, removeUsedUp } from './run-finish.ts';
import { isSeedOnce, type RunParts, recordEnd, workspaceOf } from './run-parts.ts';
import type { Preparations } from './run-start.ts';

const RUNS_AT_A_TIME = 1_000;

export interface Recovery {
  readonly parts: RunParts;
  readonly live: LiveCaptures;
  readonly preparations: Preparations;
  /** Finishes taken over and under way, by run: a long capture holds up neither a start nor the other runs. */
  readonly finishes: Map<string, Promise<void>>;
}

/**
 * Takes over the live runs of processes that are gone: what they were preparing is rolled back and `failed`, what they were
 * finishing is finished, and what was running is looked after by this process. One run's failure does not stop the others;
 * it is tried again the next time.
 * @param dead instances found dead; those that are not registered any more are taken for gone in any case
 */
export async function adoptRuns(recovery: Recovery, dead: readonly string[]): Promise<void> {
  const { parts, preparations, finishes } = recovery;
  const of = { dead: dead.filter((instance) => instance !== parts.instance), mine: parts.instance };
  const runs = await abandonedRuns(parts.db, of, RUNS_AT_A_TIME);
  for (const run of runs) if (!preparations.has(run.id) && !finishes.has(run.id)) await adopt(recovery, run);
}

async function adopt({ parts, live, finishes }: Recovery, run: StoredRun): Promise<void> {
  const postpone = async (error: unknown) => {
    parts.log.error({ err: error, run: run.id }, 'a run that a process left behind could not be taken over yet');
    await handOver(parts.db, run.id, parts.instance, '').catch(() => false);
  };
  try {
    if (!(await handOver(parts.db, run.id, run.instance, parts.instance))) return;
    const mine = { ...run, instance: parts.instance };
    if (run.status === 'preparing') await takeBack(parts, mine);
    else if (run.finishing !== null) {
      const finish = finishRun(parts, mine, run.finishing).then(() => {}, postpone);
      finishes.set(run.id, finish);
      void finish.finally(() => finishes.delete(run.id));
    } else {
      await live.watch(mine);
      await deliverMissed(parts, mine);
    }
  } catch (error) {
    await postpone(error);
  }
}

async function takeBack(parts: RunParts, run: StoredRun): Promise<void> {
  const ref = workspaceOf(run);
  await rollBack(parts.db, await parts.volumes.home(ref), run.id);
  await parts.news.missed(accountOf(ref));
  await parts.volumes.recount(ref);
  if (isSeedOnce(run)) await dropRun(parts.db, run, false);
  else await recordEnd(parts, run, 'failed');
  parts.log.info({ run: run.id }, 'a copy-in that a process left unfinished was rolled back');
}

/** What time alone causes: runs past their deadline end, and ephemeral workspaces go that a crash left behind. */
export async function sweepRuns(recovery: Recovery): Promise<void> {
  const { parts, live } = recovery;
  const now = parts.clock();
  for (const run of await overdueRuns(parts.db, now.getTime(), RUNS_AT_A_TIME)) {
    await live.stop(run.id);
    try {
      const ended = await finishRun(parts, run, 'failed', now);
      if (ended.status === 'running') await live.watch(ended);
    } catch (error) {
      parts.log.error({ err: error, run: run.id }, 'a run past its timeout could not be ended yet');
    }
  }
  await adoptRuns(recovery, []);
  await removeUsedUp(parts, RUNS_AT_A_TIME);
  await live.prune();
}
