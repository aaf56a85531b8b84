import { type BigIntStats, closeSync, constants, fstat, open, openSync } from 'node:fs';
import { type FileHandle, open as openFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { encodePath } from './path.ts';

/** A path for node:fs: bytes where the name is not UTF-8. Good only while the handle it came from is open. */
export type HostPath = string | Buffer;

/** Something in a tree that is held, whatever happens to its name meanwhile. */
export interface Held {
  readonly self: HostPath;
  stat(): Promise<BigIntStats>;
  /** Opens the very thing held, which the caller has seen to be a regular file or a directory. */
  reopen(flags: number): Promise<FileHandle>;
  /** Only after the last await of a call that names it: a closed number may at once be another file's. */
  close(): void;
}

/** A directory held open: names in it are resolved against it, not against a path that others may change. */
export interface Directory extends Held {
  /** Where the entry of this name is. The last element of such a path may be a link: use calls that do not follow one. */
  at(name: string): HostPath;
  /** A directory in it, held. Fails with ENOTDIR on a link or file. */
  child(name: string): Promise<Directory>;
  /** The directory it is in now, which need not be the one it was in before. */
  parent(): Promise<Directory>;
  /** Whatever has this name, held without opening it: neither a link is followed nor a pipe or device touched. */
  leaf(name: string): Promise<Held>;
}

// Not among node's constants; the same on x86-64 and arm64.
const O_PATH = 0o10000000;
const HOLD = O_PATH | constants.O_NOFOLLOW;
const HOLD_DIRECTORY = HOLD | constants.O_DIRECTORY;

const openDescriptor = promisify(open);
const statDescriptor = promisify(fstat);

/** Holds the directory at the path by a descriptor. The caller checks where the path led. */
export async function holdDirectory(path: HostPath): Promise<Directory> {
  return new Descriptor(await openDescriptor(path, HOLD_DIRECTORY));
}

/** As `holdDirectory`, for a thread that may wait for the disk. */
export function holdDirectorySync(path: HostPath): Directory {
  return new Descriptor(openSync(path, HOLD_DIRECTORY));
}

class Descriptor implements Directory {
  readonly #path: string;
  readonly #descriptor: number;
  #isOpen = true;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    this.#path = `/proc/self/fd/${descriptor}`;
  }

  get self(): string {
    this.#demandOpen();
    return this.#path;
  }

  at(name: string): HostPath {
    return name.isWellFormed()
      ? `${this.self}/${name}`
      : Buffer.concat([Buffer.from(`${this.self}/`), encodePath(name)]);
  }

  stat(): Promise<BigIntStats> {
    this.#demandOpen();
    return statDescriptor(this.#descriptor, { bigint: true });
  }

  reopen(flags: number): Promise<FileHandle> {
    return openFile(this.self, flags);
  }

  child(name: string): Promise<Directory> {
    return holdDirectory(this.at(name));
  }

  parent(): Promise<Directory> {
    return holdDirectory(this.at('..'));
  }

  async leaf(name: string): Promise<Held> {
    return new Descriptor(await openDescriptor(this.at(name), HOLD));
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#descriptor);
  }

  #demandOpen(): void {
    if (!this.#isOpen) throw new Error('a handle was used after it was closed');
  }
}
