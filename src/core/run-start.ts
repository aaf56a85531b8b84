import { demand, type Grant } from '../auth/grant.ts';
import { beginRun, dropRun, findLiveRun, findRun, handOver, openRun, runLive, type StoredRun } from '../db/runs.ts';
import { insertSeeds } from '../db/seeds.ts';
import { inTransaction } from '../db/transaction.ts';
import { FsError } from '../errors.ts';
import { type AgentId, makeRunId, type RunId } from '../ids.ts';
import { ROOT } from '../tree/path.ts';
import { accountOf } from './account.ts';
import { captureFilter } from './capture-rules.ts';
import { type CopiedFile, copyIn, openSources, openWorkspace, planAsked, planWithInputs } from './copy-in.ts';
import type { RunWanted, Seed, Seeded } from './core.ts';
import { type Journal, openJournal } from './journal.ts';
import { takeManifest } from './manifest.ts';
import { newRun, type RunParts, SEED_ONCE_PREFIX, type Workspace, workspaceOf } from './run-parts.ts';
import type { PlannedFile, SeedSources } from './seed.ts';
import { aboutStart } from './webhooks/event-data.ts';

/** Preparations under way in this process, so that they can be given up. */
export type Preparations = Map<string, { readonly abort: AbortController; readonly ended: Promise<void> }>;

interface Preparation {
  readonly parts: RunParts;
  readonly run: StoredRun;
  readonly sources: SeedSources;
  readonly asked: readonly PlannedFile[];
  readonly wanted: RunWanted;
  readonly journal: Journal;
  readonly signal: AbortSignal;
}

/** Takes a run from nothing to `running`. @throws as Runs.start, and then nothing has changed */
export async function startRun(
  parts: RunParts,
  preparations: Preparations,
  grant: Grant,
  agent: AgentId,
  asked: RunWanted,
): Promise<StoredRun> {
  const wanted = { ...asked, userId: userOf(grant, asked.userId) };
  captureFilter(wanted.capture);
  const prepared = await prepare(parts, preparations, grant, agent, makeRunId(), wanted, async (preparation) => {
    const copied = await fill(preparation);
    await recordContents(preparation, copied);
    await begin(preparation, copied);
  });
  return (await findRun(parts.db, prepared.id)) ?? prepared;
}

/** As a run's copy-in, without the run. @throws as Runs.seedOnce */
export async function seedOnce(
  parts: RunParts,
  preparations: Preparations,
  grant: Grant,
  agent: AgentId,
  seeds: readonly Seed[],
): Promise<readonly Seeded[]> {
  const id = makeRunId().replace(/^run_/, SEED_ONCE_PREFIX) as RunId;
  let copied: readonly CopiedFile[] = [];
  await prepare(parts, preparations, grant, agent, id, wantedOnce(seeds), async (preparation) => {
    copied = await fill(preparation);
    // The rows go in one transaction, the journal with them: from here on the files are there for good.
    await dropRun(parts.db, preparation.run, false);
  });
  return copied.map(({ path, size, sha256, source }) => ({ path, size, sha256, source }));
}

function wantedOnce(seeds: readonly Seed[]): RunWanted {
  const capture = { enabled: false, include: [], exclude: null };
  return { seeds, inputs: 'none', userId: null, sessionId: null, onConflict: 'replace', capture, timeoutSeconds: 0 };
}

/** A user's credential starts runs of that user alone. @throws forbidden */
function userOf(grant: Grant, userId: string | null): string | null {
  if (grant.user === null || userId === null || userId === grant.user) return userId ?? grant.user;
  throw new FsError('forbidden', `this credential is bound to user ${grant.user} and starts no run of another`);
}

/**
 * Resolves what can be resolved without the workspace, takes the workspace's one live place, and does `work` in it. When
 * anything fails, all of it is taken back: files, rows, and the workspace itself where it was made for this.
 */
async function prepare(
  parts: RunParts,
  preparations: Preparations,
  grant: Grant,
  agent: AgentId,
  id: RunId,
  wanted: RunWanted,
  work: (preparation: Preparation) => Promise<void>,
): Promise<StoredRun> {
  const ref: Workspace = { kind: 'workspace', tenant: grant.tenant, agent };
  demand(grant, 'runs:write', ref);
  if ((await findLiveRun(parts.db, ref.tenant, agent)) !== null) throw runLive(agent);
  const sources = await openSources(parts, grant);
  const asked = await planAsked(sources, wanted);
  const created = await createWorkspace(parts, ref);
  const abort = new AbortController();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  preparations.set(id, { abort, ended });
  try {
    const wantedRun = newRun(parts, id, ref, wanted);
    const opened = await openRun(parts.db, wantedRun);
    const run = { ...wantedRun, user_id: opened.userId };
    const journal = openJournal(parts.db, id);
    try {
      await work({ parts, run, sources, asked, wanted, journal, signal: abort.signal });
    } catch (error) {
      await undo(parts, run, journal, opened.claimed);
      throw error;
    }
    await forgetAsides(parts, run, journal);
    return run;
  } catch (error) {
    if (created) await removeUnused(parts, ref);
    throw error;
  } finally {
    preparations.delete(id);
    end();
  }
}

async function createWorkspace(parts: RunParts, { tenant, agent }: Workspace): Promise<boolean> {
  try {
    await parts.agents.create(tenant, { agentId: agent });
    return true;
  } catch (error) {
    if (error instanceof FsError && error.code === 'exists') return false;
    throw error;
  }
}

/** What was replaced is not needed any more. Left over, it is swept with everything else that no one owns. */
async function forgetAsides(parts: RunParts, run: StoredRun, journal: Journal): Promise<void> {
  try {
    await journal.forget(await parts.volumes.home(workspaceOf(run)));
  } catch (error) {
    parts.log.warn({ err: error, run: run.id }, 'files that a copy-in replaced are left to the sweeper');
  }
}

async function fill({
  parts,
  run,
  sources,
  asked,
  wanted,
  journal,
  signal,
}: Preparation): Promise<readonly CopiedFile[]> {
  const startedAt = performance.now();
  const volume = await openWorkspace(parts, run);
  const planned = await planWithInputs(sources, volume, run, asked, wanted.inputs);
  const copied = await copyIn(volume, planned, wanted.onConflict, journal, signal);
  parts.metrics.copyIn((performance.now() - startedAt) / 1000, bytesOf(copied));
  return copied;
}

function bytesOf(copied: readonly CopiedFile[]): number {
  return copied.reduce((sum, file) => sum + file.size, 0);
}

async function recordContents({ parts, run, wanted }: Preparation, copied: readonly CopiedFile[]): Promise<void> {
  if (wanted.capture.enabled) {
    const known = new Map(copied.map((file) => [file.path, file]));
    await takeManifest(parts.db, workspaceOf(run), await openWorkspace(parts, run), known, parts.clock);
  }
  const seeds = copied.map(({ path, size, sha256, source, automatic }, n) => ({
    run_id: run.id,
    n,
    path,
    size,
    sha256,
    source: JSON.stringify(source),
    automatic: automatic ? 1 : 0,
  }));
  await insertSeeds(parts.db, seeds);
}

async function begin({ parts, run }: Preparation, copied: readonly CopiedFile[]): Promise<void> {
  const deadlineAt = parts.clock().getTime() + run.timeout_seconds * 1000;
  const seeded = { files: copied.length, bytes: bytesOf(copied) };
  const began = await inTransaction(parts.db, async (transaction) => {
    if (!(await beginRun(transaction, run.id, { deadlineAt, ...seeded }))) return false;
    await parts.announce(transaction, workspaceOf(run).tenant, 'run.started', () => aboutStart(run, seeded));
    return true;
  });
  if (!began) throw new FsError('conflict', 'the run was ended while it was being prepared; nothing was copied');
  parts.metrics.run('running');
}

/**
 * Puts the workspace back to what it was and forgets the run. When even that fails the run is let go, and whichever process
 * next looks for abandoned runs takes it back.
 */
async function undo(parts: RunParts, run: StoredRun, journal: Journal, claimed: boolean): Promise<void> {
  try {
    const ref = workspaceOf(run);
    const tookBack = await journal.rollBack(await parts.volumes.home(ref));
    if (tookBack) await parts.news.missed(accountOf(ref));
    await dropRun(parts.db, run, claimed);
    await parts.volumes.recount(ref);
  } catch (error) {
    parts.log.error({ err: error, run: run.id }, 'a copy-in that failed could not be taken back; it is tried again');
    await handOver(parts.db, run.id, parts.instance, '').catch(() => false);
  }
}

/** A workspace that came into being for a run that did not is taken away, unless somebody has put something into it. */
async function removeUnused(parts: RunParts, ref: Workspace): Promise<void> {
  try {
    const { tree } = await parts.volumes.home(ref);
    const { entries } = await tree.list(ROOT, { after: null, limit: 1, depth: 1 });
    if (entries.length === 0) await parts.agents.remove(ref.tenant, ref.agent, { force: false });
  } catch (error) {
    parts.log.warn({ err: error, agent: ref.agent }, 'the workspace of a run that was refused stays behind');
  }
}
