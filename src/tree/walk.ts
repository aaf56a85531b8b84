import type { Directory } from './directory.ts';
import { orNull } from './disk-error.ts';
import type { Count, Entry } from './entry.ts';
import { child, ROOT, type TreePath } from './path.ts';
import { mapOf } from './pool.ts';
import { type Batch, LOOKS_AT_ONCE, scan } from './scan.ts';
import { chargedOf, describeFrom } from './stats.ts';
import type { WalkBounds } from './tree.ts';

/** Everything below a held directory within the bounds, a directory before its content; see Tree.walk. */
export async function* walk(start: Directory, path: TreePath, bounds: WalkBounds): AsyncGenerator<Entry> {
  const { depth, entries, onLimit, signal } = bounds;
  let left = entries;
  // Whoever wants to be told costs one level more, until it is known that something is there.
  let isTold = onLimit === undefined;
  for await (const batch of scan(start, path, () => (isTold ? depth : depth + 1), signal)) {
    if (batch.level > depth) {
      if (!isTold) onLimit?.('depth');
      isTold = true;
      continue;
    }
    for (const entry of await describeBatch(batch)) {
      if (left === 0) {
        onLimit?.('entries');
        return;
      }
      left--;
      yield entry;
    }
  }
}

async function describeBatch({ directory, path, found }: Batch): Promise<Entry[]> {
  const entries = await mapOf(found, LOOKS_AT_ONCE, ({ name, stats }) =>
    orNull(describeFrom(directory, name, child(path, name), stats), 'ENOENT'),
  );
  return entries.filter((entry) => entry !== null);
}

/** Files, directories, links and specials below a held directory and what they are charged, each inode once. */
export async function count(start: Directory, signal?: AbortSignal): Promise<Count> {
  // Links of an inode that are still to come: only of those with several names, and forgotten with the last.
  const linksLeft = new Map<bigint, bigint>();
  let bytes = 0;
  let files = 0;
  for await (const { found } of scan(start, ROOT, () => Number.POSITIVE_INFINITY, signal)) {
    for (const { stats } of found) {
      if (!stats.isDirectory() && stats.nlink > 1n) {
        const before = linksLeft.get(stats.ino);
        const after = (before ?? stats.nlink) - 1n;
        if (after > 0n) linksLeft.set(stats.ino, after);
        else linksLeft.delete(stats.ino);
        if (before !== undefined) continue;
      }
      bytes += chargedOf(stats);
      files++;
    }
  }
  return { bytes, files };
}
