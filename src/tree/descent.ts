import type { Directory } from './directory.ts';
import { orNull } from './disk-error.ts';
import { child, type TreePath } from './path.ts';
import { inodeOf } from './stats.ts';

/** What stands in the way of entering a directory: it vanished, became something else, or may not be read. */
export const SKIPPED = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ESTALE'] as const;

// The deepest levels keep their handle; the ones above are reopened on the way back.
const OPEN_LEVELS = 32;

interface Level<S> {
  readonly name: string;
  readonly path: TreePath;
  readonly inode: string;
  readonly state: S;
  handle: Directory | null;
}

/**
 * A way down a tree and up again by handles, with a few descriptors at any depth, deeper than any path may be long. Each
 * level carries a state of the caller's. Never enters a directory that it is inside of already, however they are moved.
 */
export class Descent<S> {
  readonly #levels: Level<S>[] = [];
  readonly #inside = new Set<string>();

  private constructor(top: Level<S>) {
    this.#push(top);
  }

  /** Begins in a directory that stays the caller's to close. */
  static async from<S>(start: Directory, path: TreePath, state: S): Promise<Descent<S>> {
    return new Descent({ name: '', path, inode: inodeOf(await start.stat()), state, handle: start });
  }

  /** Levels below the start: 0 there. */
  get depth(): number {
    return this.#levels.length - 1;
  }

  get directory(): Directory {
    const { handle } = this.#top();
    if (handle === null) throw new Error('the deepest level of a descent is always open');
    return handle;
  }

  get path(): TreePath {
    return this.#top().path;
  }

  get state(): S {
    return this.#top().state;
  }

  /** Goes into the directory of this name; false where that cannot be done any more, or would be going in circles. */
  async enter(name: string, state: S): Promise<boolean> {
    const opened = await identified(this.directory.child(name));
    if (opened === null) return false;
    const { handle, inode } = opened;
    if (this.#inside.has(inode)) {
      handle.close();
      return false;
    }
    const path = child(this.path, name);
    this.#push({ name, path, inode, state, handle });
    this.#closeFar();
    return true;
  }

  /** Goes up by one level; by more where the levels between were moved away meanwhile. */
  async leave(): Promise<void> {
    const left = this.#pop();
    const top = this.#top();
    try {
      if (top.handle === null && left.handle !== null) top.handle = await reopened(left.handle.parent(), top.inode);
    } finally {
      left.handle?.close();
    }
    if (top.handle === null) await this.#reopen();
  }

  /** Closes every handle but the one it began with. */
  close(): void {
    for (const level of this.#levels.slice(1)) {
      level.handle?.close();
      level.handle = null;
    }
  }

  /** Down again from the start, name by name; what is not where it was is given up, with everything below it. */
  async #reopen(): Promise<void> {
    const lost = this.#levels.splice(1);
    for (const level of lost) this.#inside.delete(level.inode);
    for (const level of lost) {
      const handle = await reopened(this.directory.child(level.name), level.inode);
      if (handle === null) return;
      this.#push({ ...level, handle });
      this.#closeFar();
    }
  }

  #push(level: Level<S>): void {
    this.#levels.push(level);
    this.#inside.add(level.inode);
  }

  #pop(): Level<S> {
    const level = this.#levels.length > 1 ? this.#levels.pop() : undefined;
    if (level === undefined) throw new Error('a descent cannot leave the directory it began in');
    this.#inside.delete(level.inode);
    return level;
  }

  #top(): Level<S> {
    const top = this.#levels.at(-1);
    if (top === undefined) throw new Error('a descent always has the level it began with');
    return top;
  }

  #closeFar(): void {
    const far = this.#levels.length - 1 - OPEN_LEVELS;
    const level = far > 0 ? this.#levels[far] : undefined;
    level?.handle?.close();
    if (level !== undefined) level.handle = null;
  }
}

/** The directory and its inode; null where it cannot be entered. */
async function identified(opening: Promise<Directory>): Promise<{ handle: Directory; inode: string } | null> {
  const handle = await orNull(opening, ...SKIPPED);
  if (handle === null) return null;
  try {
    return { handle, inode: inodeOf(await handle.stat()) };
  } catch (error) {
    handle.close();
    throw error;
  }
}

/** The directory if it is still the one that was here before, else null. */
async function reopened(opening: Promise<Directory>, inode: string): Promise<Directory | null> {
  const opened = await identified(opening);
  if (opened === null || opened.inode === inode) return opened?.handle ?? null;
  opened.handle.close();
  return null;
}
