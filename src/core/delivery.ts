import { findInManifest, putInManifest, removeFromManifest } from '../db/manifest.ts';
import { findRun, runningRunsOf, type StoredRun } from '../db/runs.ts';
import { addSeed, findSeedAt, hasSeedFrom, moveSeed } from '../db/seeds.ts';
import { FsError } from '../errors.ts';
import type { TenantId } from '../ids.ts';
import { child, nameOf, ROOT, type TreePath } from '../tree/path.ts';
import { openWorkspace } from './copy-in.ts';
import type { FileObject, Volume } from './core.ts';
import { fullName, longName, safeName } from './input-names.ts';
import { inputsOfUser, isMeantFor } from './inputs.ts';
import { INPUT_DIRECTORY, type RunParts, takesAllInputs, workspaceOf } from './run-parts.ts';
import { systemGrant } from './system-grant.ts';

const WRITABLE = 0o644;

/** The name of the lock that all changes to a live run take: delivery, capture and finish. */
export function runLock(run: Pick<StoredRun, 'id'>): string {
  return `runs/${run.id}`;
}

/**
 * Puts an input uploaded just now into the workspaces of its user's live runs. What fails is logged and never the uploader's
 * concern. A run that is still being prepared looks for what it missed when it begins.
 */
export async function deliver(parts: RunParts, tenant: TenantId, object: FileObject): Promise<void> {
  if (object.purpose !== 'agent_input' || object.userId === null) return;
  try {
    for (const run of await runningRunsOf(parts.db, tenant, object.userId)) await deliverTo(parts, run, [object]);
  } catch (error) {
    parts.log.error({ err: error, object: object.id }, 'an input could not be delivered to the live runs of its user');
  }
}

/** Puts in what was uploaded while the run was prepared, or while no process looked after it. */
export async function deliverMissed(parts: RunParts, run: StoredRun): Promise<void> {
  if (!takesAllInputs(run)) return;
  try {
    const { tenant } = workspaceOf(run);
    const inputs = await inputsOfUser(parts.objects, systemGrant(tenant), run);
    // Oldest first, as they would have come: so the newest of one name has it.
    await deliverTo(parts, run, [...inputs].reverse());
  } catch (error) {
    parts.log.error({ err: error, run: run.id }, 'inputs uploaded while a run began could not be delivered');
  }
}

async function deliverTo(parts: RunParts, run: StoredRun, objects: readonly FileObject[]): Promise<void> {
  const wanted: FileObject[] = [];
  for (const object of objects) {
    if (takesAllInputs(run) && isMeantFor(object, run) && !(await isDelivered(parts, run, object))) wanted.push(object);
  }
  if (wanted.length === 0) return;
  await parts.locks.withPathLock(runLock(run), [ROOT], async () => {
    const current = await findRun(parts.db, run.id);
    if (current?.status !== 'running' || current.finishing !== null) return;
    for (const object of wanted) if (!(await isDelivered(parts, run, object))) await deliverOne(parts, run, object);
  });
}

function isDelivered(parts: RunParts, run: StoredRun, object: FileObject): Promise<boolean> {
  return hasSeedFrom(parts.db, run.id, JSON.stringify({ fileId: object.id }));
}

async function deliverOne(parts: RunParts, run: StoredRun, object: FileObject): Promise<void> {
  const of = workspaceOf(run);
  try {
    const volume = await openWorkspace(parts, run);
    const path = await makeWay(parts, run, volume, object);
    const { size, sha256 } = object;
    // Before the file is there: a capture that sees it first must know it for an input.
    await putInManifest(parts.db, of, [{ path, size, sha256, version: '' }]);
    try {
      await place(parts, volume, path, object);
    } catch (error) {
      await removeFromManifest(parts.db, of, [path]);
      throw error;
    }
    const source = JSON.stringify({ fileId: object.id });
    await addSeed(parts.db, { run_id: run.id, path, size, sha256, source, automatic: 1 });
  } catch (error) {
    parts.log.warn({ err: error, run: run.id, object: object.id }, 'an input was not delivered to a live run');
  }
}

async function place(parts: RunParts, volume: Volume, path: TreePath, object: FileObject): Promise<void> {
  const intake = volume.intake();
  try {
    const source = await parts.objects.openContent(volume.ref.tenant, object);
    const staged = await intake.copy(source, { permissions: WRITABLE });
    await intake.commit([{ path, staged, mode: 'create' }]);
  } catch (error) {
    await intake.abort();
    throw error;
  }
}

/**
 * The path for a delivered input. An input put in before makes way under its longer name, as the newest has the name; what the
 * agent made or was given by name stays where it is, and the input takes the longer name.
 */
async function makeWay(parts: RunParts, run: StoredRun, volume: Volume, object: FileObject): Promise<TreePath> {
  const path = child(INPUT_DIRECTORY, safeName(object));
  if ((await volume.find(path)) === null) return path;
  const holder = await findSeedAt(parts.db, run.id, path);
  if (holder !== null && holder.automatic === 1) {
    const older = await olderInput(parts, run, holder.source);
    if (older !== null && (await giveWay(parts, run, volume, path, older))) {
      await moveSeed(parts.db, holder, child(INPUT_DIRECTORY, longName(older)));
      return path;
    }
  }
  const longer = child(INPUT_DIRECTORY, longName(object));
  return (await volume.find(longer)) === null ? longer : child(INPUT_DIRECTORY, fullName(object));
}

async function olderInput(parts: RunParts, run: StoredRun, source: string): Promise<FileObject | null> {
  // Written by the copy-in or a delivery: an automatic seed always comes from an object.
  const { fileId } = JSON.parse(source) as { fileId: FileObject['id'] };
  return parts.objects.find(workspaceOf(run).tenant, fileId);
}

/** False when the longer name is taken, too. */
async function giveWay(
  parts: RunParts,
  run: StoredRun,
  volume: Volume,
  path: TreePath,
  older: FileObject,
): Promise<boolean> {
  const to = child(INPUT_DIRECTORY, longName(older));
  if (nameOf(to) === nameOf(path)) return false;
  const of = workspaceOf(run);
  const known = (await findInManifest(parts.db, of, [path])).get(path);
  // Before the move, so that no capture takes the moved file for a new one; a row without its file means nothing.
  if (known !== undefined) await putInManifest(parts.db, of, [{ ...known, path: to, version: '' }]);
  try {
    await volume.move(path, to, { overwrite: false });
    return true;
  } catch (error) {
    if (error instanceof FsError && error.code === 'exists') return false;
    throw error;
  }
}
