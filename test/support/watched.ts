import type { Home } from '../../src/tree/root.ts';
import { type DiskChange, type TreeWatcher, watchTree } from '../../src/tree/watch.ts';

/** A watched tree and what was heard of it. */
export interface Watched {
  readonly told: DiskChange[];
  readonly gaps: () => number;
  readonly overflows: () => number;
  readonly watcher: TreeWatcher;
  /** The last word about each path, and nothing about others. */
  last(): Record<string, string>;
}

export async function watched(home: Home, maxDirs = 100, signal?: AbortSignal): Promise<Watched> {
  const told: DiskChange[] = [];
  let gaps = 0;
  let overflows = 0;
  const watcher = await watchTree(home, {
    maxDirs,
    onChange: (changes) => void told.push(...changes),
    onGap: () => void gaps++,
    onOverflow: () => void overflows++,
    ...(signal === undefined ? {} : { signal }),
  });
  const last = () => Object.fromEntries(told.map(({ path, entry }) => [path, entry?.kind ?? 'gone']));
  return { told, gaps: () => gaps, overflows: () => overflows, watcher, last };
}
