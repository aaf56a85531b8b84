import type { BigIntStats } from 'node:fs';
import { chmod, lstat, mkdir, rename, rmdir, unlink } from 'node:fs/promises';
import type { Directory, HostPath } from './directory.ts';
import { hasCode, orNull } from './disk-error.ts';
import type { Engine } from './engine.ts';
import type { Count } from './entry.ts';
import { isEmpty, readNames } from './names.ts';
import { forEachOf } from './pool.ts';
import { chargedOf } from './stats.ts';

const UNLINKS_AT_ONCE = 8;
// Rounds over the remains in which nothing could be removed, because a process inside keeps adding: then it is left.
const FRUITLESS_ROUNDS = 8;
const OWNER_ONLY = 0o700;

/** The place where things are freed: a directory nobody untrusted has a path to. */
export interface Yard {
  readonly engine: Engine;
  readonly stagingPath: string;
  nextName(): string;
}

/** What was freed so far, as quotas count. */
class Tally {
  bytes = 0;
  files = 0;

  add(stats: BigIntStats): void {
    // Other names of the file remain: nothing is free yet.
    if (!stats.isDirectory() && stats.nlink > 1n) return;
    this.bytes += chargedOf(stats);
    this.files++;
  }
}

/**
 * Takes what is at `from` away in one step and then frees it, however deep or large, by handles and in bounded memory:
 * directories are moved up into one flat heap as they are met. What a process inside it keeps adding to is left in the yard
 * for the sweeper. Fails with the kernel's error when the first step does; `taken` runs between the two.
 */
export async function takeAndFree(yard: Yard, from: HostPath, taken: () => Promise<void>): Promise<Count> {
  const heap = `${yard.stagingPath}/${yard.nextName()}`;
  await mkdir(heap, OWNER_ONLY);
  try {
    await rename(from, `${heap}/0`);
    await taken();
    return await freeHeap(yard, heap);
  } catch (error) {
    // Not empty: the first step had been done, and the heap is swept later.
    await orNull(rmdir(heap), 'ENOTEMPTY', 'ENOENT');
    throw error;
  }
}

/** Frees something in the yard. Nothing where it is gone. */
export async function free(yard: Yard, name: string): Promise<Count> {
  const path = `${yard.stagingPath}/${name}`;
  const stats = await orNull(lstat(path, { bigint: true }), 'ENOENT');
  if (stats === null) return { bytes: 0, files: 0 };
  if (stats.isDirectory()) {
    const freed = takeAndFree(yard, path, async () => undefined);
    return (await orNull(freed, 'ENOENT')) ?? { bytes: 0, files: 0 };
  }
  const tally = new Tally();
  await orNull(unlink(path), 'ENOENT');
  tally.add(stats);
  return { bytes: tally.bytes, files: tally.files };
}

async function freeHeap(yard: Yard, heap: string): Promise<Count> {
  const tally = new Tally();
  const directory = await yard.engine.open(Buffer.from(heap));
  if (directory === null) return tally;
  try {
    const flatten = new Flattening(directory, tally);
    for (let fruitless = 0; fruitless < FRUITLESS_ROUNDS && !(await isEmpty(directory)); ) {
      fruitless = (await flatten.round()) ? 0 : fruitless + 1;
    }
  } finally {
    directory.close();
  }
  await orNull(rmdir(heap), 'ENOTEMPTY', 'ENOENT');
  return { bytes: tally.bytes, files: tally.files };
}

class Flattening {
  readonly #heap: Directory;
  readonly #tally: Tally;
  #serial = 1;

  constructor(heap: Directory, tally: Tally) {
    this.#heap = heap;
    this.#tally = tally;
  }

  /** Goes once over the heap; says whether anything was removed. */
  async round(): Promise<boolean> {
    let isFruitful = false;
    for await (const names of readNames(this.#heap)) {
      for (const { name } of names) isFruitful = (await this.#remove(name)) || isFruitful;
    }
    return isFruitful;
  }

  async #remove(name: string): Promise<boolean> {
    const directory = await orNull(this.#heap.child(name), 'ENOTDIR', 'ELOOP', 'ENOENT');
    if (directory === null) return this.#unlink(this.#heap, name);
    try {
      await this.#empty(directory);
    } finally {
      directory.close();
    }
    const stats = await orNull(lstat(this.#heap.at(name), { bigint: true }), 'ENOENT');
    if (stats === null) return false;
    const isGone =
      (await orNull(
        rmdir(this.#heap.at(name)).then(() => true),
        'ENOTEMPTY',
        'ENOENT',
      )) === true;
    if (isGone) this.#tally.add(stats);
    return isGone;
  }

  async #empty(directory: Directory): Promise<void> {
    await makeWritable(directory);
    for await (const names of readNames(directory)) {
      const shared: string[] = [];
      await forEachOf(names, UNLINKS_AT_ONCE, async ({ name }) => {
        const stats = await orNull(lstat(directory.at(name), { bigint: true }), 'ENOENT');
        if (stats === null) return;
        if (stats.isDirectory()) await this.#lift(directory, name);
        else if (stats.nlink > 1n) shared.push(name);
        else await this.#unlink(directory, name);
      });
      // One by one, so that the last name of a file is seen to be the last.
      for (const name of shared) await this.#unlink(directory, name);
    }
  }

  /** Moves a directory up into the heap. */
  async #lift(directory: Directory, name: string): Promise<void> {
    const to = this.#heap.at(String(this.#serial++));
    try {
      await rename(directory.at(name), to);
    } catch (error) {
      if (!hasCode(error, 'EACCES')) {
        if (hasCode(error, 'ENOENT')) return;
        throw error;
      }
      // Moving a directory to another parent writes to the directory itself.
      const child = await directory.child(name);
      try {
        await makeWritable(child);
        await rename(directory.at(name), to);
      } finally {
        child.close();
      }
    }
  }

  async #unlink(directory: Directory, name: string): Promise<boolean> {
    const at = directory.at(name);
    const stats = await orNull(lstat(at, { bigint: true }), 'ENOENT');
    if (stats === null) return false;
    // EISDIR: swapped by a process inside; the next round sees it as what it is.
    const isGone =
      (await orNull(
        unlink(at).then(() => true),
        'ENOENT',
        'EISDIR',
      )) === true;
    if (isGone) this.#tally.add(stats);
    return isGone;
  }
}

/** A directory that forbids its owner to change it can still be removed. */
async function makeWritable(directory: Directory): Promise<void> {
  const { mode } = await directory.stat();
  if ((Number(mode) & OWNER_ONLY) === OWNER_ONLY) return;
  // EPERM: it is another user's; then the removal itself says what is wrong.
  await orNull(chmod(directory.self, OWNER_ONLY), 'EPERM', 'EACCES');
}
