import { parentOf, ROOT, type TreePath } from './path.ts';

/**
 * What the directories above paths come to. Each directory is looked at once, however many paths lie below it: in a tree as deep
 * as an agent can make it, climbing up from every path would take milliseconds for each.
 */
export class Ancestry<T extends object | string | number | boolean | null> {
  readonly #known = new Map<TreePath, T>();
  readonly #step: (above: T, dir: TreePath) => T;

  /** @param step what a directory and all above it come to; the root's own `above` is `none` */
  constructor(none: T, step: (above: T, dir: TreePath) => T) {
    this.#step = step;
    this.#known.set(ROOT, step(none, ROOT));
  }

  /** What all directories above the path come to, the root among them. Not to be asked of the root. */
  above(path: TreePath): T {
    const unknown: TreePath[] = [];
    let dir = parentOf(path);
    let value = this.#known.get(dir);
    while (value === undefined) {
      unknown.push(dir);
      dir = parentOf(dir);
      value = this.#known.get(dir);
    }
    for (const below of unknown.reverse()) {
      value = this.#step(value, below);
      this.#known.set(below, value);
    }
    return value;
  }
}
