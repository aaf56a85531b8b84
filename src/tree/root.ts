import { link, mkdir, opendir, readFile, realpath, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FsError } from '../errors.ts';
import { flushPath, type Owner } from './disk.ts';
import { orNull } from './disk-error.ts';
import { type Containment, chooseEngine, DESCRIPTORS } from './engine.ts';
import { free, takeAndFree } from './free.ts';
import { type Giving, tryGiving } from './giving.ts';
import { homePath, homesBelow, makeHome, type RootDisk } from './home.ts';
import { openStaging } from './open-staging.ts';
import { openTree } from './open-tree.ts';
import { StagedBytes } from './staged-bytes.ts';
import type { Staging } from './staging.ts';
import type { Tree } from './tree.ts';

export type { Owner } from './disk.ts';
export type { Containment } from './engine.ts';
export type { Giving } from './giving.ts';

/** A tree with its staging beside it: one tenant's store, one agent's workspace, or one tenant's objects. */
export interface Home {
  readonly tree: Tree;
  readonly staging: Staging;
  /** The tree's directory. */
  readonly hostPath: string;
  /** The same, as seen from the data root. */
  readonly place: string;
  /** The same for mounting: below `DataRootOptions.mountPath`. Goes to admins only. */
  readonly mountPath: string;
}

/** The directory on disk that holds everything. Opened once; the only maker of homes. */
export interface DataRoot {
  readonly containment: Containment;
  /** Who owns what is made in homes, where that is not the daemon itself, and what it lacks to give it away. */
  readonly giving: Giving;
  /** Makes the home where it is missing, and opens it. Cheap the second time. The segments are safe names of our own making. */
  open(segments: readonly string[]): Promise<Home>;
  /** Takes the whole home away in one step and frees it. Nothing where there is none. */
  remove(segments: readonly string[]): Promise<void>;
  /** Every home there is, each as its segments. */
  homes(): AsyncIterable<readonly string[]>;
  freeBytes(): Promise<number>;
  /** Bytes that this process has received or copied into staging and that are in no tree yet; not those of partial files. */
  stagedBytes(): number;
  /** @throws unavailable when the disk refuses a write, a link or a rename: for readiness */
  probe(): Promise<void>;
}

export interface DataRootOptions {
  /** Made where it is missing. */
  readonly path: string;
  /** The id of this process, which owns what it leaves in staging. No two processes may share one. */
  readonly instance: string;
  readonly owner?: Owner | null;
  /** The same directory as those find it who mount trees, where that is under another path; null: it is not. */
  readonly mountPath?: string | null;
  /** `none` flushes nothing: a power cut may lose or tear what was written. */
  readonly durability: 'fsync' | 'none';
  /** Serve also where links in the middle of a path cannot be told for sure; see Containment. */
  readonly bestEffort?: boolean;
  /** Where the kernel lists this process's descriptors. */
  readonly descriptors?: string;
}

const FORMAT = '1';
const TRASH = 'trash';

/** @throws unavailable where the machine or the disk cannot hold a data root, or another version wrote it */
export async function openDataRoot(options: DataRootOptions): Promise<DataRoot> {
  const engine = chooseEngine(options.bestEffort ?? false, options.descriptors ?? DESCRIPTORS);
  await mkdir(options.path, { recursive: true });
  const path = await realpath(options.path);
  await demandFormat(path);
  const giving = await tryGiving(path, options.owner ?? null);
  let serial = 0;
  const disk: RootDisk = {
    engine,
    path,
    mountPath: options.mountPath ?? path,
    owner: giving.owner,
    isDurable: options.durability === 'fsync',
    stagedBytes: new StagedBytes(),
    nextName: () => `${options.instance}~${(++serial).toString(36)}`,
  };
  return {
    containment: engine.containment,
    giving,
    open: (segments) => openHome(disk, segments),
    remove: (segments) => remove(disk, segments),
    homes: () => homesBelow(path),
    freeBytes: () => freeBytes(path),
    stagedBytes: () => disk.stagedBytes.total,
    probe: () => probe(disk),
  };
}

async function demandFormat(path: string): Promise<void> {
  const file = `${path}/FORMAT`;
  const found = (await orNull(readFile(file, 'utf8'), 'ENOENT'))?.trim();
  if (found === undefined) return writeFile(file, `${FORMAT}\n`);
  if (found === FORMAT) return;
  throw new FsError('unavailable', `the data root has format "${found}"; this version reads format ${FORMAT} alone`);
}

async function openHome(disk: RootDisk, segments: readonly string[]): Promise<Home> {
  const home = await makeHome(disk, segments);
  return {
    tree: openTree(home),
    staging: openStaging(home),
    hostPath: home.hostPath,
    place: home.hostPath.slice(disk.path.length + 1),
    mountPath: disk.mountPath + home.hostPath.slice(disk.path.length),
  };
}

async function remove(disk: RootDisk, segments: readonly string[]): Promise<void> {
  const yard = { engine: disk.engine, stagingPath: `${disk.path}/${TRASH}`, nextName: disk.nextName };
  const home = homePath(disk, segments);
  await mkdir(yard.stagingPath, { recursive: true, mode: 0o700 });
  const flush = async (): Promise<void> => (disk.isDurable ? flushPath(dirname(home)) : undefined);
  await orNull(takeAndFree(yard, home, flush), 'ENOENT');
  // What a removal left that a crash cut short; two that free the same thing do not mind each other.
  for await (const { name } of await opendir(yard.stagingPath)) await free(yard, name);
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** Does what every write does, in a directory of its own. */
async function probe(disk: RootDisk): Promise<void> {
  const directory = `${disk.path}/${TRASH}/probe-${disk.nextName()}`;
  const at = (name: string): string => `${directory}/${name}`;
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(at('written'), 'probe', { flush: disk.isDurable });
    await link(at('written'), at('linked'));
    await rename(at('linked'), at('renamed'));
    if ((await readFile(at('renamed'), 'utf8')) !== 'probe') throw new Error('the probe reads back wrong');
  } catch (error) {
    throw new FsError('unavailable', 'the data root refuses to write, link or rename', {}, error);
  } finally {
    // Where this fails too, the probe has failed already.
    await rm(directory, { recursive: true, force: true }).catch(() => undefined);
  }
}
