import type { Grant } from '../auth/grant.ts';
import type { StoredRun } from '../db/runs.ts';
import { FsError } from '../errors.ts';
import type { Entry } from '../tree/entry.ts';
import { child, display, type TreePath } from '../tree/path.ts';
import { mapOf } from '../tree/pool.ts';
import type { Staged } from '../tree/staging.ts';
import type { Intake, ReadVolume, RunWanted, Seeded, Volume } from './core.ts';
import { safeName } from './input-names.ts';
import { findInputs, planInputs } from './inputs.ts';
import type { Journal } from './journal.ts';
import { INPUT_DIRECTORY, type RunParts, workspaceOf } from './run-parts.ts';
import { MAX_SEED_FILES, type PlannedFile, planSeeds, type SeedSources } from './seed.ts';
import { checkSeeds } from './seed-check.ts';
import { systemGrant } from './system-grant.ts';

const COPIES_AT_ONCE = 8;
const READ_ONLY = 0o444;
const WRITABLE = 0o644;
const EXECUTABLE_BITS = 0o111;

/** One file as it was copied in. */
export interface CopiedFile extends Seeded {
  readonly automatic: boolean;
  /** Entry.version as it was placed. */
  readonly version: string;
}

/** @param grant whose files are reached: a user's credential reaches that user's objects only */
export async function openSources(parts: RunParts, grant: Grant): Promise<SeedSources> {
  const store = await parts.volumes.open(systemGrant(grant.tenant), { kind: 'store', tenant: grant.tenant }, 'read');
  return { store, objects: parts.objects, grant };
}

/** What was asked for by name. @throws as planSeeds */
export function planAsked(sources: SeedSources, wanted: RunWanted): Promise<readonly PlannedFile[]> {
  return planSeeds(sources, wanted.seeds);
}

/** Everything asked for and the automatic inputs, each with its place. @throws not_found, too_large */
export async function planWithInputs(
  sources: SeedSources,
  workspace: ReadVolume,
  run: StoredRun,
  asked: readonly PlannedFile[],
  inputs: RunWanted['inputs'],
): Promise<readonly PlannedFile[]> {
  const found = await findInputs(sources, run, inputs);
  if (found.length + asked.length > MAX_SEED_FILES) {
    throw new FsError('too_large', `a copy-in may hold at most ${MAX_SEED_FILES} files; ask for fewer`, {
      limit: MAX_SEED_FILES,
    });
  }
  const blocked = new Set<TreePath>();
  for (const object of found) {
    const path = child(INPUT_DIRECTORY, safeName(object));
    if (await isBlocked(workspace, path)) blocked.add(path);
  }
  return [...asked, ...planInputs(sources, found, asked, (path) => blocked.has(path))];
}

/** A directory of the agent's has the name: an input does not fail a run for that, it takes its longer name. */
async function isBlocked(workspace: ReadVolume, path: TreePath): Promise<boolean> {
  try {
    const entry = await workspace.find(path);
    return entry?.kind === 'directory' || entry?.kind === 'other';
  } catch (error) {
    // What is wrong with the directory itself is said by the check of the destinations.
    if (error instanceof FsError && (error.code === 'not_directory' || error.code === 'symlink')) return false;
    throw error;
  }
}

/**
 * Copies the planned files into the workspace, all or none: checked against it, reserved in one go, staged, and placed with
 * the journal. What fails after placing has begun is for the journal's owner to roll back.
 * @throws conflict, quota_exceeded before anything is copied; not_found when a source vanished since it was planned
 */
export async function copyIn(
  volume: Volume,
  planned: readonly PlannedFile[],
  onConflict: RunWanted['onConflict'],
  journal: Journal,
  signal: AbortSignal,
): Promise<readonly CopiedFile[]> {
  const { files, need } = await checkSeeds(volume, planned, onConflict);
  if (files.length === 0) return [];
  const intake = volume.intake();
  try {
    await intake.reserve(need);
    const staged = await mapOf(files, COPIES_AT_ONCE, (file) => stage(intake, file, signal));
    const mode = onConflict === 'replace' ? 'upsert' : 'create';
    const placements = files.map(({ to }, n) => ({ path: to, staged: at(staged, n), mode }) as const);
    const entries = await intake.commit(placements, journal);
    return files.map((file, n) => describe(file, at(staged, n), at(entries, n)));
  } catch (error) {
    await intake.abort();
    throw error;
  }
}

async function stage(intake: Intake, file: PlannedFile, signal: AbortSignal): Promise<Staged> {
  signal.throwIfAborted();
  const source = await openNamed(file);
  const writable = WRITABLE | (source.entry.mode & EXECUTABLE_BITS);
  return intake.copy(source, { permissions: file.mode === 'ro' ? READ_ONLY : writable });
}

async function openNamed(file: PlannedFile): ReturnType<PlannedFile['open']> {
  try {
    return await file.open();
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'not_found') throw error;
    const name = 'path' in file.source ? file.source.path : file.source.fileId;
    throw new FsError('not_found', `${display(name)} was removed while it was about to be copied`, {
      path: display(name),
    });
  }
}

function describe(file: PlannedFile, staged: Staged, entry: Entry): CopiedFile {
  const { to, source, automatic } = file;
  return { path: to, size: staged.size, sha256: staged.sha256, source, automatic, version: entry.version };
}

function at<T>(items: readonly T[], n: number): T {
  const item = items[n];
  if (item === undefined) throw new Error(`item ${n} of ${items.length} is missing`);
  return item;
}

/** The workspace of a run, opened for the daemon's own work. */
export function openWorkspace(parts: RunParts, run: StoredRun): Promise<Volume> {
  const ref = workspaceOf(run);
  return parts.volumes.open(systemGrant(ref.tenant), ref, 'write');
}
