import { constants } from 'node:fs';
import { mkdir, open, symlink, unlink } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import { copyContent, demandOurs } from './copy.ts';
import type { HostPath } from './directory.ts';
import { giveStaged, type HomeDisk, inStaging } from './disk.ts';
import { orNull } from './disk-error.ts';
import type { Entry } from './entry.ts';
import { free } from './free.ts';
import { display, encodePath, relativeTo, type TreePath } from './path.ts';
import { forEachOf } from './pool.ts';
import { onDisk } from './receive.ts';
import { settleFile, stagedDirectory } from './staged.ts';
import type { StagedDirectory } from './staging.ts';
import { chargedOf } from './stats.ts';
import type { Tree } from './tree.ts';

const MAX_ENTRIES = 1_000_000;
// Deeper trees have longer paths than the disk takes.
const MAX_DEPTH = 2048;
const COPIES_AT_ONCE = 16;
const BATCH_ENTRIES = 64;
const BATCH_BYTES = 16 * 1024 * 1024;
const TRIES = 3;
const OWNER_ONLY = 0o700;

/** A staged copy of everything below `dir` of a tree; see Staging.copyDirectory. */
export async function copyDirectory(
  disk: HomeDisk,
  tree: Tree,
  dir: TreePath,
  onBytes: (bytes: number, files: number) => Promise<void>,
): Promise<StagedDirectory> {
  const name = disk.nextName();
  const copying = new DirectoryCopy(disk, tree, dir, inStaging(disk, name));
  try {
    await onDisk(copying.run(onBytes));
    const staged = await onDisk(stagedDirectory(disk, name, { bytes: copying.bytes, files: copying.files }));
    disk.stagedBytes.add(name, staged.bytes);
    return staged;
  } catch (error) {
    await free(disk, name);
    throw error;
  }
}

class DirectoryCopy {
  bytes = 0;
  files = 0;
  readonly #disk: HomeDisk;
  readonly #tree: Tree;
  readonly #dir: TreePath;
  readonly #target: string;
  /** Their modes and times are set last: writing into them needs one and changes the other. */
  readonly #directories: Entry[] = [];

  constructor(disk: HomeDisk, tree: Tree, dir: TreePath, target: string) {
    this.#disk = disk;
    this.#tree = tree;
    this.#dir = dir;
    this.#target = target;
  }

  async run(onBytes: (bytes: number, files: number) => Promise<void>): Promise<void> {
    await this.#makeDirectory(await this.#tree.stat(this.#dir));
    for await (const batch of this.#batches()) {
      await onBytes(
        batch.reduce((sum, entry) => sum + entry.charged, 0),
        batch.length,
      );
      // In order: a directory comes before what is in it.
      for (const entry of batch) if (entry.kind === 'directory') await this.#makeDirectory(entry);
      const others = batch.filter((entry) => entry.kind !== 'directory');
      await forEachOf(others, COPIES_AT_ONCE, (entry) => this.#copyEntry(entry));
    }
    for (const entry of this.#directories.toReversed()) await this.#finishDirectory(entry);
  }

  async *#batches(): AsyncGenerator<readonly Entry[]> {
    let batch: Entry[] = [];
    let bytes = 0;
    const onLimit = (): never => {
      throw new FsError('too_large', `${display(this.#dir)} has more entries or levels than can be copied in one step`);
    };
    for await (const entry of this.#tree.walk(this.#dir, { depth: MAX_DEPTH, entries: MAX_ENTRIES, onLimit })) {
      if (entry.kind === 'other') continue;
      batch.push(entry);
      bytes += entry.charged;
      if (batch.length < BATCH_ENTRIES && bytes < BATCH_BYTES) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) yield batch;
  }

  #at(path: TreePath): HostPath {
    const relative = relativeTo(path, this.#dir);
    return path === this.#dir ? this.#target : encodePath(`${this.#target}/${relative}`);
  }

  async #makeDirectory(entry: Entry): Promise<void> {
    await mkdir(this.#at(entry.path), OWNER_ONLY);
    this.#directories.push(entry);
    this.files++;
  }

  async #finishDirectory(entry: Entry): Promise<void> {
    const handle = await open(this.#at(entry.path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.utimes(entry.modifiedAt, entry.modifiedAt);
      await settleFile(this.#disk, handle, entry.mode);
      if (this.#disk.isDurable) await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async #copyEntry(entry: Entry): Promise<void> {
    if (entry.kind === 'file') return this.#copyFile(entry);
    if (entry.target === null) return;
    const at = this.#at(entry.path);
    await symlink(encodePath(entry.target), at);
    await giveStaged(this.#disk, at);
    this.files++;
  }

  async #copyFile(entry: Entry): Promise<void> {
    const at = this.#at(entry.path);
    for (let left = TRIES - 1; ; left--) {
      try {
        return await this.#tryFile(entry, at);
      } catch (error) {
        await orNull(unlink(at), 'ENOENT');
        if (!(error instanceof FsError)) throw error;
        if (error.code === 'not_found') return;
        if (error.code !== 'conflict' || left === 0) throw error;
      }
    }
  }

  async #tryFile(entry: Entry, at: HostPath): Promise<void> {
    const source = demandOurs(await this.#tree.open(entry.path));
    try {
      const { handle } = await copyContent(this.#disk, source, at, source.entry.mode);
      try {
        await handle.utimes(source.entry.modifiedAt, source.entry.modifiedAt);
        const stats = await settleFile(this.#disk, handle, source.entry.mode);
        if (this.#disk.isDurable) await handle.sync();
        this.bytes += chargedOf(stats);
        this.files++;
      } finally {
        await handle.close();
      }
    } finally {
      await source.close();
    }
  }
}
