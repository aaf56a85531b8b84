import { constants } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, open, symlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { FsError } from '../errors.ts';
import { type HostPath, holdDirectory } from './directory.ts';
import { demandFits, giveStaged, type HomeDisk, inStaging, partPath } from './disk.ts';
import { diskError } from './disk-error.ts';
import { free } from './free.ts';
import { readNames } from './names.ts';
import { NewFile, settle } from './new-file.ts';
import { child, demandCreatable, display, encodePath, join, parentOf, ROOT, type TreePath } from './path.ts';
import { forEachOf } from './pool.ts';
import { onDisk } from './receive.ts';
import { SmallFiles } from './small-files.ts';
import { stagedDirectory } from './staged.ts';
import type { NewAttributes, NewDirectory, NewFileOptions, Part, StagedDirectory } from './staging.ts';
import { chargedOf, inodeOf, kindOf } from './stats.ts';

// More flushes share one write of the disk's journal.
const FLUSHES_AT_ONCE = 16;
const DIRECTORY_MODE = 0o755;
const OWNER_ONLY = 0o700;

/** See Staging.directory. */
export async function newDirectory(disk: HomeDisk, at: TreePath): Promise<NewDirectory> {
  const name = disk.nextName();
  await onDisk(mkdir(inStaging(disk, name), OWNER_ONLY));
  return new DirectoryInStaging(disk, name, at);
}

/** A directory that was made here: what it is to be like, and what lies in it and below, itself included. */
interface Made {
  mode: number;
  modifiedAt: Date | null;
  bytes: number;
  files: number;
}

class DirectoryInStaging implements NewDirectory {
  readonly #disk: HomeDisk;
  readonly #name: string;
  readonly #at: TreePath;
  readonly #root = made({ mode: DIRECTORY_MODE, modifiedAt: null });
  /** Each before what is in it. */
  readonly #directories = new Map([[ROOT, this.#root]]);
  readonly #smallFiles: SmallFiles;

  constructor(disk: HomeDisk, name: string, at: TreePath) {
    this.#disk = disk;
    this.#name = name;
    this.#at = at;
    this.#smallFiles = new SmallFiles(disk);
  }

  has(dir: TreePath): boolean {
    return this.#directories.has(dir);
  }

  async mkdir(path: TreePath, attributes: NewAttributes): Promise<void> {
    const known = this.#directories.get(path);
    if (known !== undefined) {
      Object.assign(known, attributes);
      return;
    }
    await this.#making(path, (at) => mkdir(at, OWNER_ONLY));
    this.#directories.set(path, made(attributes));
  }

  async write(path: TreePath, body: Readable, { onBytes, ...attributes }: NewFileOptions): Promise<void> {
    await this.#making(path, async (at, parent) => {
      const file = new NewFile(this.#disk, at, attributes);
      try {
        for await (const chunk of body) {
          await onBytes(chunk.length);
          await file.add(chunk);
        }
        const content = file.whole();
        const onMade = (charged: number) => count(parent, charged);
        if (content !== null) return await this.#smallFiles.add({ path, at, content, onMade, ...attributes });
        count(parent, await file.end());
        await file.flush();
      } finally {
        await file.close();
      }
    });
  }

  async copy(from: TreePath, to: TreePath, { onBytes, ...attributes }: NewFileOptions): Promise<void> {
    // What is copied may be on its way still.
    await this.#smallFiles.end();
    this.#parentOf(from);
    await this.#making(to, async (at, parent) => {
      const source = this.#hostPath(from);
      const stats = await lstat(source);
      if (!stats.isFile()) throw new FsError('not_found', `${display(from)} is no file that was written before`);
      await onBytes(stats.size);
      await copyFile(source, at, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      // It came with the mode of the first, which need not let its owner write.
      await chmod(at, OWNER_ONLY);
      const handle = await open(at, constants.O_RDWR | constants.O_NOFOLLOW);
      try {
        count(parent, await settle(this.#disk, handle, attributes));
        if (this.#disk.isDurable) await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  async symlink(path: TreePath, target: string): Promise<void> {
    await this.#making(path, async (at, parent) => {
      await symlink(encodePath(target), at);
      await giveStaged(this.#disk, at);
      count(parent, 0);
    });
  }

  async finish(): Promise<StagedDirectory> {
    await this.#smallFiles.end();
    const inwards = [...this.#directories].reverse();
    // What may not be entered any more comes after all that is in it.
    const [closed, enterable] = [
      inwards.filter(([, one]) => isClosed(one.mode)),
      inwards.filter(([, one]) => !isClosed(one.mode)),
    ];
    await forEachOf(enterable, FLUSHES_AT_ONCE, ([path, one]) => this.#settleDirectory(path, one));
    for (const [path, one] of closed) await this.#settleDirectory(path, one);
    for (const [path, { bytes, files }] of inwards) {
      if (path === ROOT) continue;
      const parent = this.#parentOf(path);
      parent.bytes += bytes;
      parent.files += files;
    }
    const whole = this.#root;
    this.#disk.stagedBytes.add(this.#name, whole.bytes);
    return onDisk(stagedDirectory(this.#disk, this.#name, { bytes: whole.bytes, files: whole.files }));
  }

  async *parts(dir: TreePath): AsyncGenerator<Part> {
    const directory = await holdDirectory(this.#hostPath(dir));
    try {
      for await (const names of readNames(directory)) {
        for (const { name } of names) yield await this.#part(child(dir, name));
      }
    } finally {
      directory.close();
    }
  }

  async #part(path: TreePath): Promise<Part> {
    const at = this.#hostPath(path);
    const stats = await lstat(at, { bigint: true });
    const [kind, mode] = [kindOf(stats), Number(stats.mode)];
    if (kind === 'other') throw new FsError('internal', 'something is staged that cannot be placed');
    if (kind === 'directory' && isClosed(mode)) await chmod(at, mode | OWNER_ONLY);
    const { bytes, files } = this.#directories.get(path) ?? { bytes: chargedOf(stats), files: 1 };
    const name = `${this.#name}/${path}`;
    return { path, name, kind, inode: inodeOf(stats), isFlushed: true, bytes, files, discard: async () => undefined };
  }

  async discard(): Promise<void> {
    // Whatever it failed with: all of it goes.
    await this.#smallFiles.end().catch(() => undefined);
    this.#disk.stagedBytes.forget(this.#name);
    // Nobody waits for it: what is left is swept when this process is gone.
    await free(this.#disk, this.#name).catch(() => undefined);
  }

  async #settleDirectory(path: TreePath, { mode, modifiedAt }: Made): Promise<void> {
    const handle = await open(this.#hostPath(path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await settle(this.#disk, handle, { mode, modifiedAt });
      if (this.#disk.isDurable) await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /** Runs what makes `path`, with where it is to be and the directory it will be in. */
  async #making<T>(path: TreePath, make: (at: HostPath, parent: Made) => Promise<T>): Promise<T> {
    demandCreatable(path);
    demandFits(this.#disk, join(this.#at, path));
    const parent = this.#parentOf(path);
    try {
      return await make(this.#hostPath(path), parent);
    } catch (error) {
      throw diskError(error, path);
    }
  }

  #hostPath(path: TreePath): HostPath {
    return partPath(this.#disk, `${this.#name}/${path}`);
  }

  /** What is no directory made here, such as a link, is never gone through. */
  #parentOf(path: TreePath): Made {
    const parent = parentOf(path);
    const known = this.#directories.get(parent);
    if (known !== undefined) return known;
    throw new FsError('not_directory', `${display(parent)} is not a directory, so nothing can be put into it`, {
      path: display(parent),
    });
  }
}

/** True where its owner may not enter the directory or change it. */
function isClosed(mode: number): boolean {
  return (mode & OWNER_ONLY) !== OWNER_ONLY;
}

function made({ mode, modifiedAt }: NewAttributes): Made {
  return { mode, modifiedAt, bytes: 0, files: 1 };
}

function count(directory: Made, bytes: number): void {
  directory.bytes += bytes;
  directory.files += 1;
}
