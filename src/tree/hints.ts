import { Ancestry } from './ancestry.ts';
import { isAbsence } from './beneath.ts';
import type { Entry } from './entry.ts';
import { nameOf, parentOf, ROOT, type TreePath } from './path.ts';
import { forEachOf } from './pool.ts';
import type { Tree } from './tree.ts';

/** What a path of a watched tree holds now; null: what was there is gone. */
export interface DiskChange {
  readonly path: TreePath;
  readonly entry: Entry | null;
  /** What was seen there the last time; null: nothing. */
  readonly before: 'directory' | 'other' | null;
}

const LOOKS_AT_ONCE = 16;

/**
 * Turns hints about what may have changed into changes that the tree itself confirms. A path is only ever said to be gone
 * when it was seen through the tree before: else names from outside, read by a watcher that was led astray, would come out.
 */
export class Hints {
  readonly #tree: Tree;
  /** Every path seen, and whether it was a directory. */
  readonly #seen = new Map<TreePath, boolean>();
  #directories = 0;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** Entries seen and not gone yet. */
  get entries(): number {
    return this.#seen.size;
  }

  get directories(): number {
    return this.#directories;
  }

  hasSeen(path: TreePath): boolean {
    return this.#seen.has(path);
  }

  see({ path, kind }: Entry): void {
    this.#forget(path);
    this.#seen.set(path, kind === 'directory');
    if (kind === 'directory') this.#directories++;
  }

  /** Looks at every path; leaves out what does not lie in the tree, and what is not there and never was. */
  async confirm(paths: Iterable<TreePath>): Promise<readonly DiskChange[]> {
    const changes: DiskChange[] = [];
    const gone = new Set<TreePath>();
    await forEachOf(paths, LOOKS_AT_ONCE, async (path) => {
      const entry = await this.#look(path);
      const wasDirectory = this.#seen.get(path);
      if (entry !== null) this.see(entry);
      else if (wasDirectory === undefined) return;
      else if (this.#forget(path)) gone.add(path);
      const before = wasDirectory === undefined ? null : wasDirectory ? 'directory' : 'other';
      changes.push({ path, entry, before });
    });
    this.#forgetBelow(gone);
    return changes;
  }

  /** The paths in `dir` whose names are not UTF-8: those there are, and those that were seen. */
  async oddNames(dir: TreePath, limit: number): Promise<readonly TreePath[]> {
    const odd = new Set<TreePath>();
    for (const path of this.#seen.keys()) if (!nameOf(path).isWellFormed() && parentOf(path) === dir) odd.add(path);
    try {
      const { entries } = await this.#tree.list(dir, { after: null, limit, depth: 1 });
      for (const { path } of entries) if (!nameOf(path).isWellFormed()) odd.add(path);
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
    return [...odd];
  }

  async #look(path: TreePath): Promise<Entry | null> {
    try {
      return await this.#tree.find(path);
    } catch (error) {
      if (isAbsence(error)) return null;
      throw error;
    }
  }

  /** True where it was a directory. */
  #forget(path: TreePath): boolean {
    const isDirectory = this.#seen.get(path) ?? false;
    this.#seen.delete(path);
    if (isDirectory) this.#directories--;
    return isDirectory;
  }

  /** One pass for all directories that went. */
  #forgetBelow(gone: ReadonlySet<TreePath>): void {
    if (gone.size === 0) return;
    const went = new Ancestry<boolean>(false, (above, dir) => above || gone.has(dir));
    for (const path of this.#seen.keys()) if (path !== ROOT && went.above(path)) this.#forget(path);
  }
}
