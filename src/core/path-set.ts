import { pathHash } from '../db/path-key.ts';
import type { TreePath } from '../tree/path.ts';

const HASH_CHARACTERS = 43;

/** A set of paths that takes the same small room for each, however long an agent makes them: at most about 100 bytes. */
export class PathSet {
  readonly #keys = new Set<string>();

  add(path: TreePath): void {
    this.#keys.add(keyOf(path));
  }

  has(path: TreePath): boolean {
    return this.#keys.has(keyOf(path));
  }
}

/** A path no longer than a hash stands for itself; `/` tells the others, which no path begins with. */
function keyOf(path: TreePath): string {
  return path.length <= HASH_CHARACTERS ? path : `/${pathHash(path)}`;
}
