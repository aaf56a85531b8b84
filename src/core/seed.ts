import type { Grant } from '../auth/grant.ts';
import { FsError } from '../errors.ts';
import type { ObjectId, TenantId } from '../ids.ts';
import type { Entry } from '../tree/entry.ts';
import {
  demandCreatable,
  display,
  join,
  nameOf,
  parseDirectory,
  parsePath,
  ROOT,
  relativeTo,
  type TreePath,
} from '../tree/path.ts';
import type { OpenFile } from '../tree/tree.ts';
import type { FileObject, ReadVolume, Seed, Seeded } from './core.ts';
import { isGlob, parseGlob } from './globs.ts';
import { safeName } from './input-names.ts';
import { INPUT_DIRECTORY, type RunObjects, WALK_DEPTH, WALK_ENTRIES } from './run-parts.ts';

/** One file that a copy-in is going to place, resolved but not opened yet. */
export interface PlannedFile {
  readonly to: TreePath;
  readonly size: number;
  readonly mode: Seed['mode'];
  readonly source: Seeded['source'];
  /** True for a user's inputs put in without being asked for by name. */
  readonly automatic: boolean;
  open(): Promise<OpenFile>;
}

/** More files than this in one copy-in are refused. */
export const MAX_SEED_FILES = 100_000;

/** Where seeds come from. The store is open for reading only: nothing here could write to it. */
export interface SeedSources {
  readonly store: ReadVolume;
  readonly objects: RunObjects;
  readonly grant: Grant;
}

/**
 * Turns seeds into files, reading names and sizes only. @throws not_found naming the path, pattern or id that is missing,
 * symlink, special_file, invalid_path, too_large beyond MAX_SEED_FILES
 */
export async function planSeeds(sources: SeedSources, seeds: readonly Seed[]): Promise<readonly PlannedFile[]> {
  const planned: PlannedFile[] = [];
  for (const seed of seeds) {
    const files =
      'store' in seed.from
        ? await planStorePath(sources.store, seed.from.store, seed)
        : [await planObject(sources, seed.from.object, seed)];
    planned.push(...files);
    demandFew(planned.length);
  }
  return planned;
}

function demandFew(files: number): void {
  if (files <= MAX_SEED_FILES) return;
  throw new FsError('too_large', `a copy-in may hold at most ${MAX_SEED_FILES} files; ask for fewer`, {
    limit: MAX_SEED_FILES,
  });
}

async function planStorePath(store: ReadVolume, text: string, seed: Seed): Promise<readonly PlannedFile[]> {
  const literal = await findLiteral(store, text);
  if (literal?.kind === 'directory') return planDirectory(store, literal, seed);
  if (literal?.kind === 'file') {
    if (text.endsWith('/')) throw new FsError('not_directory', `${text} is a file in the store`, { path: text });
    return [planStoreFile(store, literal, destinationOfOne(seed.to, literal.path, nameOf(literal.path)), seed)];
  }
  if (literal !== null) throw notCopyable(literal);
  if (!isGlob(text)) throw new FsError('not_found', `${text} does not exist in the store`, { path: text });
  return planGlob(store, text, seed);
}

/** A name may hold `*` or `[`: what is there under exactly this name comes before what it means as a glob. */
async function findLiteral(store: ReadVolume, text: string): Promise<Entry | null> {
  try {
    return await store.find(parseDirectory(text));
  } catch (error) {
    if (isGlob(text) && error instanceof FsError && error.code !== 'internal') return null;
    throw error;
  }
}

function notCopyable(entry: Entry): FsError {
  const path = display(entry.path);
  if (entry.kind === 'symlink') {
    return new FsError('symlink', `${path} is a symbolic link, and links are never followed`, { path });
  }
  return new FsError('special_file', `${path} is a socket, device or pipe, and those are never opened`, { path });
}

async function planDirectory(store: ReadVolume, dir: Entry, seed: Seed): Promise<readonly PlannedFile[]> {
  const place = (path: TreePath) => (seed.to === null ? path : join(directoryOf(seed.to), relativeTo(path, dir.path)));
  return collect(store, dir.path, WALK_DEPTH, () => true, place, seed);
}

async function planGlob(store: ReadVolume, text: string, seed: Seed): Promise<readonly PlannedFile[]> {
  const glob = parseGlob(text, { hidden: false });
  const place = (path: TreePath) => (seed.to === null ? path : join(directoryOf(seed.to), relativeTo(path, glob.base)));
  const found = await store.find(glob.base);
  const files =
    found?.kind === 'directory'
      ? await collect(store, glob.base, glob.depth ?? WALK_DEPTH, glob.matches, place, seed)
      : [];
  if (files.length === 0) throw new FsError('not_found', `${text} matches no file in the store`, { path: text });
  return files;
}

/** The regular files below `dir` in the order of their paths. Links and specials inside are left where they are. */
async function collect(
  store: ReadVolume,
  dir: TreePath,
  depth: number,
  matches: (path: TreePath) => boolean,
  place: (path: TreePath) => TreePath,
  seed: Seed,
): Promise<readonly PlannedFile[]> {
  const files: PlannedFile[] = [];
  const tooMuch = () => {
    throw new FsError('too_large', `${display(dir)} holds more than a copy-in looks through; name a part of it`, {
      limit: WALK_ENTRIES,
      path: display(dir),
    });
  };
  // What lies below a glob's last level is not wanted, so only the deepest look of all is a limit.
  const onLimit = depth < WALK_DEPTH ? () => undefined : tooMuch;
  let looked = 0;
  for await (const entry of store.walk(dir, { depth, entries: WALK_ENTRIES + 1, onLimit })) {
    looked += 1;
    if (looked > WALK_ENTRIES) tooMuch();
    if (entry.kind !== 'file' || !matches(entry.path)) continue;
    files.push(planStoreFile(store, entry, place(entry.path), seed));
    demandFew(files.length);
  }
  return files.sort((one, other) => (one.to < other.to ? -1 : 1));
}

function planStoreFile(store: ReadVolume, entry: Entry, to: TreePath, seed: Seed): PlannedFile {
  return {
    to,
    size: entry.size,
    mode: seed.mode,
    source: { path: entry.path },
    automatic: false,
    open: () => store.open(entry.path),
  };
}

async function planObject(sources: SeedSources, id: ObjectId, seed: Seed): Promise<PlannedFile> {
  const object = await findObject(sources, id);
  const name = safeName(object);
  const to = destinationOfOne(seed.to, join(INPUT_DIRECTORY, parsePath(name)), name);
  return planObjectFile(sources.objects, sources.grant.tenant, object, { to, mode: seed.mode, automatic: false });
}

/** A user's credential reaches that user's files alone. @throws not_found naming the id */
export async function findObject({ objects, grant }: SeedSources, id: ObjectId): Promise<FileObject> {
  const object = await objects.find(grant.tenant, id);
  if (object === null || (grant.user !== null && object.userId !== grant.user)) {
    throw new FsError('not_found', `no file has the id ${id}`, { path: id });
  }
  return object;
}

export function planObjectFile(
  objects: RunObjects,
  tenant: TenantId,
  object: FileObject,
  how: Pick<PlannedFile, 'to' | 'mode' | 'automatic'>,
): PlannedFile {
  return {
    ...how,
    size: object.size,
    source: { fileId: object.id },
    open: () => objects.openContent(tenant, object),
  };
}

/** Where a single file lands: as `to` says, in the directory that a slash at the end of `to` means, or where it would. */
function destinationOfOne(to: string | null, otherwise: TreePath, name: string): TreePath {
  const path = to === null ? otherwise : to.endsWith('/') ? join(directoryOf(to), parsePath(name)) : parsePath(to);
  if (to !== null) demandCreatable(path);
  return path;
}

function directoryOf(to: string): TreePath {
  const dir = parseDirectory(to);
  if (dir !== ROOT) demandCreatable(dir);
  return dir;
}
