import type { Grant } from '../auth/grant.ts';
import { findInManifest, putInManifest, type StoredFile } from '../db/manifest.ts';
import { findOutputs, pageOutputs, putOutput, removeOutput, type StoredOutput } from '../db/outputs.ts';
import type { StoredRun } from '../db/runs.ts';
import { FsError } from '../errors.ts';
import type { ObjectId, RunId } from '../ids.ts';
import type { Entry } from '../tree/entry.ts';
import { ROOT, type TreePath } from '../tree/path.ts';
import { forEachOf } from '../tree/pool.ts';
import { inBatches } from './batches.ts';
import { captureFilter } from './capture-rules.ts';
import type { ReadVolume } from './core.ts';
import { keepOutput, type OutputKeeper, reasonOf, recordSkipped } from './keep-output.ts';
import { BATCH, hashFile, settledVersion, UNREAD } from './manifest.ts';
import { PathSet } from './path-set.ts';
import { captureRulesOf, type RunParts, WALK_DEPTH, WALK_ENTRIES, workspaceOf } from './run-parts.ts';
import { storedPath } from './stored-path.ts';
import { nullIfUnreachable } from './unreachable.ts';

const FILES_AT_ONCE = 12;

/** The capture of one run: what changed in its workspace since the manifest becomes objects. */
export interface Capture {
  /**
   * Looks at everything and leaves exactly one object or reason for each changed path; says how many objects.
   * @throws unavailable
   */
  settle(signal?: AbortSignal): Promise<number>;
  /** Looks at these paths only, for as long as the run goes on: what cannot be kept now is left for the end. */
  glance(paths: Iterable<TreePath>, signal: AbortSignal): Promise<void>;
}

/** @param system a grant of the daemon for the run's tenant */
export function openCapture(parts: RunParts, run: StoredRun, volume: ReadVolume, system: Grant): Capture {
  const matches = captureFilter(captureRulesOf(run));
  const keeper: OutputKeeper = { parts, run, volume, system };

  async function settle(signal?: AbortSignal): Promise<number> {
    await adoptObjects(keeper);
    const seen = new PathSet();
    const entries = lookedAt(keeper, ROOT, matches, signal);
    for await (const batch of inBatches(entries, BATCH)) {
      await considerAll(keeper, batch, 'settle');
      for (const entry of batch) seen.add(entry.path);
    }
    let kept = 0;
    await forEachOutput(keeper, async (output) => {
      if (!seen.has(storedPath(output.path))) await drop(keeper, output);
      else if (output.object_id !== null) kept += 1;
    });
    return kept;
  }

  async function glance(paths: Iterable<TreePath>, signal: AbortSignal): Promise<void> {
    for (const path of paths) {
      if (signal.aborted) return;
      const entry = await volume.find(path).catch(nullIfUnreachable);
      if (entry === null) await dropBelow(keeper, path);
      else if (entry.kind === 'file' && matches(path)) await considerAll(keeper, [entry], 'glance');
      else if (entry.kind === 'directory') {
        const entries = lookedAt(keeper, path, matches, signal);
        for await (const batch of inBatches(entries, BATCH)) await considerAll(keeper, batch, 'glance');
      }
    }
  }

  return { settle, glance };
}

/** What capture has an opinion on: all but directories, and links and specials only where this run made them. */
async function* lookedAt(
  { run, parts, volume }: OutputKeeper,
  dir: TreePath,
  matches: (path: TreePath) => boolean,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  const onLimit = (which: 'depth' | 'entries') =>
    parts.log.warn({ run: run.id, which }, 'a workspace is larger than capture looks through; the rest is left out');
  const bounds = { depth: WALK_DEPTH, entries: WALK_ENTRIES, onLimit };
  for await (const entry of volume.walk(dir, signal === undefined ? bounds : { ...bounds, signal })) {
    if (entry.kind === 'directory' || !matches(entry.path)) continue;
    if (entry.kind === 'file' || entry.createdAt.getTime() >= run.started_at) yield entry;
  }
}

async function considerAll(keeper: OutputKeeper, entries: readonly Entry[], how: 'settle' | 'glance'): Promise<void> {
  const { parts, run } = keeper;
  const paths = entries.map((entry) => entry.path);
  const before = await findInManifest(parts.db, workspaceOf(run), paths);
  const outputs = await findOutputs(parts.db, run.id, paths);
  await forEachOf(entries, FILES_AT_ONCE, (entry) =>
    consider(keeper, entry, before.get(entry.path) ?? null, outputs.get(entry.path) ?? null, how),
  );
}

async function consider(
  keeper: OutputKeeper,
  entry: Entry,
  before: StoredFile | null,
  output: StoredOutput | null,
  how: 'settle' | 'glance',
): Promise<void> {
  try {
    if (entry.kind !== 'file') throw reasonOf(entry);
    if (before?.version === entry.version) return await drop(keeper, output);
    if (output?.version === entry.version && output.object_id !== null && output.reason === null) return;
    if (before?.size === entry.size && (await isUnchanged(keeper, before))) return await drop(keeper, output);
    await keepOutput(keeper, entry, output, how);
  } catch (error) {
    await excuse(keeper, entry, output, error, how);
  }
}

/** New bytes of the old size, or the old bytes touched? Only the content can tell. */
async function isUnchanged({ parts, run, volume }: OutputKeeper, before: StoredFile): Promise<boolean> {
  if (before.sha256 === UNREAD) return false;
  const { entry, sha256 } = await hashFile(volume, storedPath(before.path));
  if (sha256 !== before.sha256) return false;
  const version = settledVersion(entry, parts.clock());
  if (version !== '') await putInManifest(parts.db, workspaceOf(run), [{ ...before, version }]);
  return true;
}

/** What cannot be kept never stops a finish; it is written down with its reason. @throws unavailable, which passes */
async function excuse(
  keeper: OutputKeeper,
  entry: Entry,
  output: StoredOutput | null,
  error: unknown,
  how: 'settle' | 'glance',
): Promise<void> {
  if (!(error instanceof FsError) || error.code === 'unavailable') throw error;
  if (error.code === 'internal') keeper.parts.log.warn({ err: error, run: keeper.run.id }, 'an output was not kept');
  if (error.code === 'not_found') return drop(keeper, output);
  if (how === 'settle') await recordSkipped(keeper, entry.path, output, wordsFor(error));
}

function wordsFor(error: FsError): string {
  const words: Partial<Record<FsError['code'], string>> = {
    conflict: 'still changing',
    quota_exceeded: 'over quota',
    special_file: 'special file',
    symlink: 'symbolic link',
    unreadable: 'unreadable',
    too_large: 'too large',
  };
  return words[error.code] ?? 'could not be read';
}

/** A path that is no output (any more) has no object either. */
async function drop({ parts, run, system }: OutputKeeper, output: StoredOutput | null): Promise<void> {
  if (output === null) return;
  if (output.object_id !== null) await removeObject(parts, system, output.object_id);
  await removeOutput(parts.db, run.id, output.path);
}

async function removeObject(parts: RunParts, system: Grant, id: string): Promise<void> {
  try {
    await parts.objects.remove(system, id as ObjectId);
  } catch (error) {
    // A client was quicker: the object is gone, which is what is wanted.
    if (!(error instanceof FsError) || error.code !== 'not_found') throw error;
  }
}

/** The path is gone, and if it was a directory so is all that was below it. */
async function dropBelow(keeper: OutputKeeper, path: TreePath): Promise<void> {
  await forEachOutput(keeper, async (output) => {
    if (output.path === path || output.path.startsWith(`${path}/`)) await drop(keeper, output);
  });
}

async function forEachOutput(
  { parts, run }: OutputKeeper,
  use: (output: StoredOutput) => Promise<void>,
): Promise<void> {
  let after: string | null = null;
  for (;;) {
    const page: readonly StoredOutput[] = await pageOutputs(parts.db, run.id, after, BATCH);
    const last = page.at(-1);
    if (last === undefined) return;
    for (const output of page) await use(output);
    after = last.path;
  }
}

/**
 * A crash between making an object and recording it leaves one that no path knows: it becomes its path's output, to be looked
 * at like any other, or goes where the path has one already.
 */
async function adoptObjects({ parts, run, system }: OutputKeeper): Promise<void> {
  let cursor: string | null = null;
  do {
    const filter = { runId: run.id as RunId, purpose: 'agent_output' } as const;
    const page: Awaited<ReturnType<RunParts['objects']['list']>> = await parts.objects.list(system, filter, {
      limit: BATCH,
      cursor,
    });
    const paths = page.items.flatMap((object) => (object.path === null ? [] : [object.path]));
    const outputs = new Map(await findOutputs(parts.db, run.id, paths));
    for (const { id, path } of page.items) {
      if (path === null) continue;
      const owner = outputs.get(path)?.object_id ?? null;
      if (owner === id) continue;
      if (owner !== null) await removeObject(parts, system, id);
      else {
        const adopted = { run_id: run.id, path, object_id: id, version: '', reason: null };
        await putOutput(parts.db, adopted);
        outputs.set(path, adopted);
      }
    }
    cursor = page.next;
  } while (cursor !== null);
}
