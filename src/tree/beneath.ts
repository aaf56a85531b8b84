import { lstat } from 'node:fs/promises';
import { FsError } from '../errors.ts';
import type { Directory } from './directory.ts';
import { diskError, hasCode } from './disk-error.ts';
import type { Engine } from './engine.ts';
import { child, display, encodePath, nameOf, parentOf, ROOT, segmentsOf, type TreePath } from './path.ts';

/** The top of a tree: the directory that paths below it cannot leave. */
export interface Anchor {
  readonly engine: Engine;
  /** Absolute, with every link resolved, as UTF-8 text. Nobody untrusted can change it or anything above it. */
  readonly hostPath: string;
}

/**
 * The choke point: every path a tree is asked for goes through here. Holds the parent directory of `path`, makes sure that
 * it lies where the path says, and hands it over with the last name; whatever is swapped afterwards, the handle stays.
 * @throws not_found, not_directory, symlink, unreadable, invalid_path; errors of the kernel from `use` as errors about `path`
 */
export async function beneath<T>(
  anchor: Anchor,
  path: TreePath,
  use: (directory: Directory, name: string) => Promise<T>,
): Promise<T> {
  if (path === ROOT) throw new FsError('is_directory', 'this cannot be done to the root itself; name something in it');
  return holding(anchor, parentOf(path), path, (directory) => use(directory, nameOf(path)));
}

/** As `beneath`, for the directory at `path` itself, which may be the root. */
export function within<T>(anchor: Anchor, path: TreePath, use: (directory: Directory) => Promise<T>): Promise<T> {
  return holding(anchor, path, path, use);
}

/** Holds the directory at `path` until the caller closes it. Prefer `beneath` and `within`. @throws as `beneath` */
export async function hold(anchor: Anchor, path: TreePath): Promise<Directory> {
  try {
    const expected = path === ROOT ? anchor.hostPath : `${anchor.hostPath}/${path}`;
    const directory = await anchor.engine.open(encodePath(expected));
    if (directory !== null) return directory;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) throw diskError(error, path);
  }
  return step(anchor, path);
}

async function holding<T>(
  anchor: Anchor,
  path: TreePath,
  subject: TreePath,
  use: (directory: Directory) => Promise<T>,
): Promise<T> {
  const directory = await hold(anchor, path);
  try {
    // The await matters: the handle may not be closed before the last call that names it has come back.
    return await use(directory);
  } catch (error) {
    throw diskError(error, subject);
  } finally {
    directory.close();
  }
}

/**
 * The slow way, for when the quick one did not arrive: one handle per element, none a link. It finds out what is in the
 * way, gets through where a directory was only moved meanwhile, and reaches what is too deep for one path.
 */
async function step(anchor: Anchor, path: TreePath): Promise<Directory> {
  let directory = await openTop(anchor);
  let reached = ROOT;
  for (const name of segmentsOf(path)) {
    reached = child(reached, name);
    const next = await stepInto(directory, name, reached);
    directory = next;
  }
  return directory;
}

/** Closes `directory` in any case. */
async function stepInto(directory: Directory, name: string, path: TreePath): Promise<Directory> {
  try {
    return await directory.child(name);
  } catch (error) {
    if (!hasCode(error, 'ENOTDIR', 'ELOOP')) throw diskError(error, path);
    throw await obstacle(directory, name, path);
  } finally {
    directory.close();
  }
}

async function obstacle(directory: Directory, name: string, path: TreePath): Promise<unknown> {
  try {
    const stats = await lstat(directory.at(name));
    return stats.isSymbolicLink()
      ? new FsError('symlink', `${display(path)} is a symbolic link, and links are never followed`, {
          path: display(path),
        })
      : new FsError('not_directory', `${display(path)} is not a directory`, { path: display(path) });
  } catch (error) {
    return diskError(error, path);
  }
}

async function openTop(anchor: Anchor): Promise<Directory> {
  try {
    const top = await anchor.engine.open(encodePath(anchor.hostPath));
    if (top !== null) return top;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw diskError(error, '');
  }
  throw new FsError('not_found', 'this file tree does not exist; it was removed');
}

/** True for the errors that say a directory is not there, or not there any more. */
export function isAbsence(error: unknown): boolean {
  return error instanceof FsError && ['not_found', 'not_directory', 'symlink'].includes(error.code);
}
