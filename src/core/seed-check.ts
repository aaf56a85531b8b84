import { FsError } from '../errors.ts';
import type { Count, Entry } from '../tree/entry.ts';
import { display, parentOf, ROOT, type TreePath } from '../tree/path.ts';
import { mapOf } from '../tree/pool.ts';
import { add, freedBy, NOTHING, subtract } from './account.ts';
import type { ReadVolume, RunWanted } from './core.ts';
import type { PlannedFile } from './seed.ts';

const LOOKS_AT_ONCE = 16;

export interface CheckedSeeds {
  /** What is to be placed: all of it, but for what `keep` leaves as it is. */
  readonly files: readonly PlannedFile[];
  /** What placing it takes beyond what the workspace holds now. */
  readonly need: Count;
}

/**
 * Holds the destinations against one another and against the workspace. Nothing is changed. @throws conflict for two files
 * with one destination, a file where a directory must be or the other way round, and what `fail` does not want replaced;
 * symlink where a link is in the way
 */
export async function checkSeeds(
  workspace: ReadVolume,
  files: readonly PlannedFile[],
  onConflict: RunWanted['onConflict'],
): Promise<CheckedSeeds> {
  demandDistinct(files);
  const directories = new Directories(workspace);
  const existing = await mapOf(files, LOOKS_AT_ONCE, async ({ to }) =>
    (await directories.has(parentOf(to))) ? workspace.find(to) : null,
  );
  const kept: PlannedFile[] = [];
  let need: Count = { bytes: 0, files: directories.missing };
  for (const [n, file] of files.entries()) {
    const entry = existing[n] ?? null;
    if (entry !== null) demandReplaceable(entry, onConflict);
    if (entry !== null && onConflict === 'keep') continue;
    kept.push(file);
    need = add(need, subtract({ bytes: file.size, files: 1 }, freedBy(entry)));
  }
  return {
    files: kept,
    need: kept.length === 0 ? NOTHING : { bytes: Math.max(0, need.bytes), files: Math.max(0, need.files) },
  };
}

function demandDistinct(files: readonly PlannedFile[]): void {
  const seen = new Set<TreePath>();
  for (const { to } of files) {
    if (seen.has(to)) throw conflict(to, 'is the destination of two files; give one of them another "to"');
    seen.add(to);
  }
  const checked = new Set<TreePath>();
  for (const { to } of files) {
    for (let dir = parentOf(to); dir !== ROOT && !checked.has(dir); dir = parentOf(dir)) {
      if (seen.has(dir)) throw conflict(dir, 'is the destination of a file and must be a directory for another');
      checked.add(dir);
    }
  }
}

function demandReplaceable(entry: Entry, onConflict: RunWanted['onConflict']): void {
  if (entry.kind === 'directory')
    throw conflict(entry.path, 'is a directory in the workspace, and a file is to go there');
  if (entry.kind === 'other')
    throw conflict(entry.path, 'is a socket, device or pipe in the workspace; remove it first');
  if (onConflict === 'fail') throw conflict(entry.path, 'exists in the workspace already');
}

function conflict(path: TreePath, what: string): FsError {
  return new FsError('conflict', `${display(path)} ${what}; nothing was copied`, { path: display(path) });
}

/** Which directories of the workspace are there, each looked up once. */
class Directories {
  readonly #workspace: ReadVolume;
  readonly #known = new Map<TreePath, Promise<boolean>>([[ROOT, Promise.resolve(true)]]);
  /** How many were asked for and are not there. */
  missing = 0;

  constructor(workspace: ReadVolume) {
    this.#workspace = workspace;
  }

  /** @throws conflict, symlink where something else has the name */
  has(dir: TreePath): Promise<boolean> {
    const known = this.#known.get(dir) ?? this.#look(dir);
    this.#known.set(dir, known);
    return known;
  }

  async #look(dir: TreePath): Promise<boolean> {
    const entry = (await this.has(parentOf(dir))) ? await this.#workspace.find(dir) : null;
    if (entry === null) {
      this.missing += 1;
      return false;
    }
    if (entry.kind === 'directory') return true;
    if (entry.kind !== 'symlink') throw conflict(dir, 'is a file in the workspace, and files are to go below it');
    throw new FsError('symlink', `${display(dir)} is a symbolic link in the workspace, and links are never followed`, {
      path: display(dir),
    });
  }
}
