import { FsError } from '../errors.ts';
import { display, parentOf, ROOT, type TreePath } from '../tree/path.ts';
import type { Tree } from '../tree/tree.ts';

/**
 * The directories that must be made before these paths can be, outermost first.
 * @throws not_directory, symlink where something else is in the way
 */
export async function missingParents(tree: Tree, paths: Iterable<TreePath>): Promise<readonly TreePath[]> {
  const known = new Set<TreePath>([ROOT]);
  const missing: TreePath[] = [];
  for (const path of paths) {
    const chain: TreePath[] = [];
    for (let dir = parentOf(path); !known.has(dir); dir = parentOf(dir)) {
      known.add(dir);
      const entry = await tree.find(dir);
      if (entry?.kind === 'directory') break;
      if (entry !== null) throw inTheWay(dir, entry.kind === 'symlink');
      chain.push(dir);
    }
    missing.push(...chain.reverse());
  }
  return missing;
}

function inTheWay(path: TreePath, isLink: boolean): FsError {
  const detail = { path: display(path) };
  if (isLink)
    return new FsError('symlink', `${display(path)} is a symbolic link, and links are never followed`, detail);
  return new FsError('not_directory', `${display(path)} is not a directory, so nothing can be put into it`, detail);
}

/** Makes directories that `missingParents` named. Returns those really made: another may have been quicker. */
export async function makeParents(tree: Tree, missing: readonly TreePath[]): Promise<readonly TreePath[]> {
  const made: TreePath[] = [];
  try {
    for (const dir of missing) made.push(...(await tree.mkdir(dir)));
  } catch (error) {
    await removeParents(tree, made);
    throw error;
  }
  return made;
}

/** Undoes `makeParents`, leaving whatever is not empty by now. Returns those removed. */
export async function removeParents(tree: Tree, made: readonly TreePath[]): Promise<void> {
  for (const dir of [...made].reverse()) await tree.rmdirIfEmpty(dir);
}
