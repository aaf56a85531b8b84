import { FsError } from '../errors.ts';
import { Descent, SKIPPED } from './descent.ts';
import type { Directory } from './directory.ts';
import { hasCode, orNull } from './disk-error.ts';
import type { Entry } from './entry.ts';
import { readNames, SmallestNames } from './names.ts';
import { child, display, isWithin, relativeTo, segmentsOf, type TreePath } from './path.ts';
import { mapOf } from './pool.ts';
import { LOOKS_AT_ONCE } from './scan.ts';
import { describe } from './stats.ts';
import type { Listing, Page } from './tree.ts';

/** One level of a listing: its names in order, and those of them already looked at. */
interface Level {
  names: readonly string[];
  next: number;
  looked: readonly (Entry | null)[];
  lookedFrom: number;
  /** The rest of the cursor, where it leads into the first of these names; that name itself was on an earlier page. */
  readonly cursor: readonly string[];
}

/** A page of what is below a held directory, in the order of Tree.list. @throws invalid_request */
export async function list(start: Directory, dir: TreePath, page: Page): Promise<Listing> {
  const descent = await Descent.from<Level>(start, dir, levelAt(cursorOf(dir, page.after)));
  const entries: Entry[] = [];
  try {
    await read(descent, page.limit + 1);
    while (entries.length <= page.limit) {
      const level = descent.state;
      const index = level.next++;
      const name = level.names[index];
      if (name === undefined) {
        if (descent.depth === 0) return { entries, next: null };
        await descent.leave();
        continue;
      }
      const isCursor = index === 0 && name === level.cursor[0];
      const entry = await lookAt(descent, level, index);
      if (entry === null) continue;
      if (!isCursor) entries.push(entry);
      if (entry.kind !== 'directory' || descent.depth + 1 >= page.depth) continue;
      await enter(descent, name, isCursor ? level.cursor.slice(1) : [], page.limit + 1 - entries.length);
    }
  } finally {
    descent.close();
  }
  const shown = entries.slice(0, page.limit);
  return { entries: shown, next: shown.at(-1)?.path ?? null };
}

function cursorOf(dir: TreePath, after: TreePath | null): readonly string[] {
  if (after === null) return [];
  if (isWithin(after, dir)) return segmentsOf(relativeTo(after, dir));
  throw new FsError('invalid_request', `the cursor belongs to another directory than ${display(dir)}; begin again`);
}

function levelAt(cursor: readonly string[]): Level {
  return { names: [], next: 0, looked: [], lookedFrom: 0, cursor };
}

/** The first names from the cursor on; as many as the page can still take, and the cursor's own. */
async function read({ directory, state }: Descent<Level>, limit: number): Promise<void> {
  const [from] = state.cursor;
  const smallest = new SmallestNames(from === undefined ? limit : limit + 1);
  for await (const names of readNames(directory)) {
    for (const { name } of names) if (from === undefined || name >= from) smallest.offer(name);
  }
  state.names = smallest.sorted();
}

async function enter(descent: Descent<Level>, name: string, cursor: readonly string[], limit: number): Promise<void> {
  if (limit <= 0 || !(await descent.enter(name, levelAt(cursor)))) return;
  try {
    await read(descent, limit);
  } catch (error) {
    // A directory that may not be read is listed, but what is in it is not.
    if (!hasCode(error, ...SKIPPED)) throw error;
  }
}

/** Looks at some of the following names too, so that a page costs few rounds. */
async function lookAt(descent: Descent<Level>, level: Level, index: number): Promise<Entry | null> {
  if (index >= level.lookedFrom + level.looked.length) {
    level.lookedFrom = index;
    const { directory, path } = descent;
    level.looked = await mapOf(level.names.slice(index, index + LOOKS_AT_ONCE * 2), LOOKS_AT_ONCE, (name) =>
      orNull(describe(directory, name, child(path, name)), 'ENOENT', 'EACCES'),
    );
  }
  return level.looked[index - level.lookedFrom] ?? null;
}
