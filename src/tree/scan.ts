import type { BigIntStats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { Descent, SKIPPED } from './descent.ts';
import type { Directory } from './directory.ts';
import { hasCode, orNull } from './disk-error.ts';
import { type Name, readNames, SmallestNames } from './names.ts';
import type { TreePath } from './path.ts';
import { mapOf } from './pool.ts';

/** An entry as the disk gave it. */
export interface Found {
  readonly name: string;
  readonly stats: BigIntStats;
}

/** Some entries of one directory; the handle is good until the next batch is asked for. */
export interface Batch {
  readonly directory: Directory;
  readonly path: TreePath;
  /** Of these entries, below the start: 1 for its direct children. */
  readonly level: number;
  readonly found: readonly Found[];
}

interface Pending {
  names: string[];
  /** Where the directory must be read again, because it had more directories than are remembered at a time; else null. */
  after: string | null;
}

export const LOOKS_AT_ONCE = 16;
// Names of directories still to be visited: of one directory at least, and of all levels together at most.
const FEW_NAMES = 256;
const MANY_NAMES = 65_536;

/**
 * Everything below a held directory in no order, a directory before its content, down to `depth()` levels, which is asked
 * again at each. What vanishes or may not be read is skipped. Memory and descriptors are bounded at any size and depth.
 */
export async function* scan(
  start: Directory,
  path: TreePath,
  depth: () => number,
  signal?: AbortSignal,
): AsyncGenerator<Batch> {
  const descent = await Descent.from<Pending>(start, path, { names: [], after: null });
  let remembered = 0;
  try {
    for (let isNew = true; ; ) {
      signal?.throwIfAborted();
      const { state } = descent;
      if (isNew) {
        const subdirectories = new SmallestNames(Math.max(FEW_NAMES, MANY_NAMES - remembered));
        yield* visit(descent, subdirectories);
        remembered += remember(state, subdirectories);
      }
      if (descent.depth + 1 >= depth()) {
        remembered -= state.names.length;
        Object.assign(state, { names: [], after: null });
      }
      const name = state.names.pop();
      if (name !== undefined) {
        remembered--;
        isNew = await descent.enter(name, { names: [], after: null });
      } else if (state.after !== null) {
        isNew = false;
        remembered += remember(state, await moreDirectories(descent.directory, state.after));
      } else if (descent.depth > 0) {
        isNew = false;
        await descent.leave();
      } else {
        return;
      }
    }
  } finally {
    descent.close();
  }
}

async function* visit(descent: Descent<Pending>, subdirectories: SmallestNames): AsyncGenerator<Batch> {
  const { directory, path } = descent;
  const level = descent.depth + 1;
  try {
    for await (const names of readNames(directory)) {
      const found = await lookAt(directory, names);
      for (const { name, stats } of found) if (stats.isDirectory()) subdirectories.offer(name);
      if (found.length > 0) yield { directory, path, level, found };
    }
  } catch (error) {
    // The start itself must be readable; below it, what is not is skipped.
    if (level === 1 || !hasCode(error, ...SKIPPED)) throw error;
  }
}

/** The entries of these names; those that are gone are left out. */
async function lookAt(directory: Directory, names: readonly Pick<Name, 'name'>[]): Promise<Found[]> {
  const found = await mapOf(names, LOOKS_AT_ONCE, async ({ name }) => {
    const stats = await orNull(lstat(directory.at(name), { bigint: true }), 'ENOENT', 'EACCES');
    return stats === null ? null : { name, stats };
  });
  return found.filter((one) => one !== null);
}

function remember(pending: Pending, subdirectories: SmallestNames): number {
  const { overflowed } = subdirectories;
  const names = subdirectories.sorted();
  pending.after = overflowed ? (names.at(-1) ?? null) : null;
  pending.names = names.reverse();
  return names.length;
}

async function moreDirectories(directory: Directory, after: string): Promise<SmallestNames> {
  const more = new SmallestNames(MANY_NAMES);
  for await (const names of readNames(directory)) {
    for (const { name, isDirectory } of names) if (isDirectory !== false && name > after) more.offer(name);
  }
  return more;
}
