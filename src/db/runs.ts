import type { Insertable, Selectable } from 'kysely';
import { FsError } from '../errors.ts';
import { claimUser, findAgent, touchAgent } from './agents.ts';
import type { Database, RunRow } from './schema.ts';
import { inTransaction } from './transaction.ts';

export type StoredRun = Selectable<RunRow>;
export type NewRun = Insertable<RunRow>;

const LIVE = ['preparing', 'running'] as const;
const FINAL = ['completed', 'failed', 'cancelled'] as const;

export interface OpenedRun {
  readonly userId: string | null;
  /** True when this run made its user the owner of the workspace. */
  readonly claimed: boolean;
}

/**
 * Records the run and takes the one live place of its workspace, and the workspace for its user, in one transaction.
 * A run without a user goes as the owner of the workspace. @throws not_found, run_live, conflict (another user's workspace)
 */
export async function openRun(db: Database, run: NewRun): Promise<OpenedRun> {
  return inTransaction(db, async (trx) => {
    const { tenant, agent } = run;
    const place = await trx
      .insertInto('live_runs')
      .values({ tenant, agent, run_id: run.id })
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    if (Number(place.numInsertedOrUpdatedRows ?? 0) === 0) throw runLive(agent);
    const workspace = await findAgent(trx, tenant, agent);
    if (workspace === null) throw new FsError('not_found', `agent ${agent} has no workspace`, { path: agent });
    const shared = workspace.shared === 1;
    const userId = run.user_id ?? (shared ? null : workspace.user_id);
    if (userId !== null && !(await claimUser(trx, tenant, agent, userId))) throw othersWorkspace(agent);
    await trx
      .insertInto('runs')
      .values({ ...run, user_id: userId })
      .execute();
    return { userId, claimed: !shared && workspace.user_id === null && userId !== null };
  });
}

function othersWorkspace(agent: string): FsError {
  return new FsError('conflict', `workspace ${agent} belongs to another user; make one for this user, or a shared one`);
}

export function runLive(agent: string): FsError {
  return new FsError('run_live', `workspace ${agent} has a live run; finish it first`, { path: agent });
}

/** Takes back everything `openRun` recorded, as if the run had never been asked for. */
export async function dropRun(db: Database, run: StoredRun, claimed: boolean): Promise<void> {
  await inTransaction(db, async (trx) => {
    await forgetPreparation(trx, run.id);
    await leavePlace(trx, run);
    await trx.deleteFrom('runs').where('id', '=', run.id).execute();
    if (!claimed) return;
    await trx
      .updateTable('agents')
      .set({ user_id: null })
      .where('tenant', '=', run.tenant)
      .where('id', '=', run.agent)
      .where('user_id', '=', run.user_id)
      .execute();
  });
}

async function leavePlace(trx: Database, { tenant, agent, id }: StoredRun): Promise<void> {
  await trx
    .deleteFrom('live_runs')
    .where('tenant', '=', tenant)
    .where('agent', '=', agent)
    .where('run_id', '=', id)
    .execute();
}

async function forgetPreparation(trx: Database, id: string): Promise<void> {
  await trx.deleteFrom('journal').where('run_id', '=', id).execute();
  await trx.deleteFrom('seeds').where('run_id', '=', id).execute();
}

/** The one step from `preparing` to `running`: the journal is gone with it. False when the run was ended meanwhile. */
export async function beginRun(
  db: Database,
  id: string,
  began: { readonly deadlineAt: number; readonly files: number; readonly bytes: number },
): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    const updated = await trx
      .updateTable('runs')
      .set({ status: 'running', deadline_at: began.deadlineAt, seeded_files: began.files, seeded_bytes: began.bytes })
      .where('id', '=', id)
      .where('status', '=', 'preparing')
      .executeTakeFirst();
    if (updated.numUpdatedRows === 0n) return false;
    await trx.deleteFrom('journal').where('run_id', '=', id).execute();
    return true;
  });
}

/**
 * Ends a run and frees its workspace; with `keepPlace` nothing else can begin in it, as it is about to be removed.
 * False when the run had ended already.
 */
export async function endRun(
  db: Database,
  run: StoredRun,
  status: 'completed' | 'failed' | 'cancelled',
  now: number,
  options: { readonly keepPlace: boolean } = { keepPlace: false },
): Promise<boolean> {
  return inTransaction(db, async (trx) => {
    const updated = await trx
      .updateTable('runs')
      .set({ status, finishing: null, finished_at: now })
      .where('id', '=', run.id)
      .where('status', 'in', LIVE)
      .executeTakeFirst();
    if (updated.numUpdatedRows === 0n) return false;
    if (run.status === 'preparing') await forgetPreparation(trx, run.id);
    if (!options.keepPlace) await leavePlace(trx, run);
    await touchAgent(trx, run.tenant, run.agent, now);
    return true;
  });
}

/** Changes what was asked of capture: once it has settled there is nothing left to capture. */
export async function setCapture(db: Database, id: string, capture: string): Promise<void> {
  await db.updateTable('runs').set({ capture }).where('id', '=', id).execute();
}

/** Marks the finish as under way, by this instance. False unless the run is running and nobody finishes it yet. */
export async function claimFinish(
  db: Database,
  id: string,
  finishing: 'completed' | 'failed' | 'cancelled',
  instance: string,
  overdueAt: number | null,
): Promise<boolean> {
  let update = db
    .updateTable('runs')
    .set({ finishing, instance })
    .where('id', '=', id)
    .where('status', '=', 'running')
    .where('finishing', 'is', null);
  if (overdueAt !== null) update = update.where('deadline_at', '<', overdueAt);
  const updated = await update.executeTakeFirst();
  return updated.numUpdatedRows > 0n;
}

/** False unless the run is running and not being finished. */
export async function extendRun(db: Database, id: string, deadlineAt: number): Promise<boolean> {
  const updated = await db
    .updateTable('runs')
    .set({ deadline_at: deadlineAt })
    .where('id', '=', id)
    .where('status', '=', 'running')
    .where('finishing', 'is', null)
    .executeTakeFirst();
  return updated.numUpdatedRows > 0n;
}

export async function findRun(db: Database, id: string): Promise<StoredRun | null> {
  return (await db.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst()) ?? null;
}

/** Newest first, those with ids below `before`, of one user where one is named. Copy-ins outside a run are not listed. */
export async function listRuns(
  db: Database,
  of: { readonly tenant: string; readonly agent: string; readonly userId: string | null },
  page: { readonly before: string | null; readonly limit: number },
): Promise<readonly StoredRun[]> {
  let query = db
    .selectFrom('runs')
    .selectAll()
    .where('tenant', '=', of.tenant)
    .where('agent', '=', of.agent)
    .where('id', 'like', 'run%');
  if (of.userId !== null) query = query.where('user_id', '=', of.userId);
  if (page.before !== null) query = query.where('id', '<', page.before);
  return query.orderBy('id', 'desc').limit(page.limit).execute();
}

export async function findLiveRun(db: Database, tenant: string, agent: string): Promise<StoredRun | null> {
  const row = await db
    .selectFrom('live_runs')
    .innerJoin('runs', 'runs.id', 'live_runs.run_id')
    .selectAll('runs')
    .where('live_runs.tenant', '=', tenant)
    .where('live_runs.agent', '=', agent)
    .executeTakeFirst();
  return row ?? null;
}

/** The user's runs that are running and not being finished. */
export async function runningRunsOf(db: Database, tenant: string, userId: string): Promise<readonly StoredRun[]> {
  return db
    .selectFrom('live_runs')
    .innerJoin('runs', 'runs.id', 'live_runs.run_id')
    .selectAll('runs')
    .where('live_runs.tenant', '=', tenant)
    .where('runs.user_id', '=', userId)
    .where('runs.status', '=', 'running')
    .where('runs.finishing', 'is', null)
    .execute();
}

/** Asked with `finished_at`, since the index knows unfinished runs only. */
export async function overdueRuns(db: Database, now: number, limit: number): Promise<readonly StoredRun[]> {
  return db
    .selectFrom('runs')
    .selectAll()
    .where('finished_at', 'is', null)
    .where('status', '=', 'running')
    .where('finishing', 'is', null)
    .where('deadline_at', '<', now)
    .orderBy('deadline_at')
    .limit(limit)
    .execute();
}

/**
 * Live runs that may want somebody to look after them: in the hands of `dead` instances, of instances that are not registered any
 * more, and those that `mine` prepares or finishes, which it may have had to give up.
 */
export async function abandonedRuns(
  db: Database,
  { dead, mine }: { readonly dead: readonly string[]; readonly mine: string },
  limit: number,
): Promise<readonly StoredRun[]> {
  const registered = db.selectFrom('instances').select('instances.id');
  return db
    .selectFrom('live_runs')
    .innerJoin('runs', 'runs.id', 'live_runs.run_id')
    .selectAll('runs')
    .where('runs.status', 'in', LIVE)
    .where((where) =>
      where.or([
        where('runs.instance', 'not in', registered),
        ...(dead.length > 0 ? [where('runs.instance', 'in', dead)] : []),
        where.and([
          where('runs.instance', '=', mine),
          where.or([where('runs.status', '=', 'preparing'), where('runs.finishing', 'is not', null)]),
        ]),
      ]),
    )
    .orderBy('runs.id')
    .limit(limit)
    .execute();
}

/** Hands a live run from one instance to another. False when someone else was first. */
export async function handOver(db: Database, id: string, from: string, to: string): Promise<boolean> {
  const updated = await db
    .updateTable('runs')
    .set({ instance: to })
    .where('id', '=', id)
    .where('instance', '=', from)
    .where('status', 'in', LIVE)
    .executeTakeFirst();
  return updated.numUpdatedRows > 0n;
}

/** Workspaces whose run has ended and still holds their place: ephemeral ones, until they are removed. */
export async function usedUpWorkspaces(
  db: Database,
  limit: number,
): Promise<readonly { readonly tenant: string; readonly agent: string }[]> {
  return db
    .selectFrom('live_runs')
    .innerJoin('runs', 'runs.id', 'live_runs.run_id')
    .select(['live_runs.tenant', 'live_runs.agent'])
    .where('runs.status', 'in', FINAL)
    .limit(limit)
    .execute();
}
