import type { Grant } from '../auth/grant.ts';
import { putOutput, type StoredOutput } from '../db/outputs.ts';
import type { StoredRun } from '../db/runs.ts';
import { FsError } from '../errors.ts';
import type { ObjectId, RunId } from '../ids.ts';
import type { Entry } from '../tree/entry.ts';
import { display, nameOf, type TreePath } from '../tree/path.ts';
import type { FileObject, ObjectMeta, ReadVolume } from './core.ts';
import { hashFile, settledVersion } from './manifest.ts';
import { type RunParts, workspaceOf } from './run-parts.ts';

/** Where outputs of one run are kept. */
export interface OutputKeeper {
  readonly parts: RunParts;
  readonly run: StoredRun;
  readonly volume: ReadVolume;
  readonly system: Grant;
}

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 40;

/** Why something that is no regular file is not kept. */
export function reasonOf(entry: Entry): FsError {
  return entry.kind === 'symlink'
    ? new FsError('symlink', `${display(entry.path)} is a symbolic link`)
    : new FsError('special_file', `${display(entry.path)} is a socket, device or pipe`);
}

/**
 * Makes the file an object, or gives the object it has its new content. At the end of a run a file that changes while it is
 * copied is tried again a few times. @throws conflict (it never held still), quota_exceeded, not_found, unreadable
 */
export async function keepOutput(
  keeper: OutputKeeper,
  entry: Entry,
  output: StoredOutput | null,
  how: 'settle' | 'glance',
): Promise<void> {
  const current = await objectOf(keeper, output);
  if (current !== null && current.size === entry.size && (await hasContent(keeper, entry, current))) return;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await copyOut(keeper, entry.path, current);
    } catch (error) {
      const isMoving = error instanceof FsError && error.code === 'conflict';
      if (!isMoving || how === 'glance' || attempt === ATTEMPTS) throw error;
      await pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
    }
  }
}

async function objectOf({ parts, run }: OutputKeeper, output: StoredOutput | null): Promise<FileObject | null> {
  if (output === null || output.object_id === null) return null;
  return parts.objects.find(workspaceOf(run).tenant, output.object_id as ObjectId);
}

async function hasContent(keeper: OutputKeeper, { path }: Entry, object: FileObject): Promise<boolean> {
  const { entry, sha256 } = await hashFile(keeper.volume, path);
  if (sha256 !== object.sha256) return false;
  await record(keeper, entry, object);
  return true;
}

async function copyOut(keeper: OutputKeeper, path: TreePath, current: FileObject | null): Promise<void> {
  const { parts, run, volume } = keeper;
  const { tenant } = workspaceOf(run);
  const file = await volume.open(path);
  const object =
    current === null
      ? await parts.objects.keepCopy(tenant, file, metaOf(run, path))
      : await parts.objects.replaceCopy(tenant, current.id, file);
  await record(keeper, file.entry, object);
}

async function record({ parts, run }: OutputKeeper, entry: Entry, object: FileObject): Promise<void> {
  await putOutput(parts.db, {
    run_id: run.id,
    path: entry.path,
    object_id: object.id,
    version: settledVersion(entry, parts.clock()),
    reason: null,
  });
}

function metaOf(run: StoredRun, path: TreePath): ObjectMeta {
  return {
    filename: display(nameOf(path)),
    purpose: 'agent_output',
    userId: run.user_id,
    agentId: workspaceOf(run).agent,
    sessionId: run.session_id,
    runId: run.id as RunId,
    path,
  };
}

/** Writes down why a changed path is not, or not in its last state, among the outputs. */
export async function recordSkipped(
  { parts, run }: OutputKeeper,
  path: TreePath,
  output: StoredOutput | null,
  reason: string,
): Promise<void> {
  const objectId = output?.object_id ?? null;
  await putOutput(parts.db, {
    run_id: run.id,
    path,
    object_id: objectId,
    version: '',
    reason: objectId === null ? reason : `${reason}; an earlier version was kept`,
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
