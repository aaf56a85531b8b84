import { insertSteps, stepsBackwards } from '../db/journal.ts';
import type { Database } from '../db/schema.ts';
import { type ErrorCode, FsError } from '../errors.ts';
import { parentOf, type TreePath } from '../tree/path.ts';
import type { Home } from '../tree/root.ts';
import type { JournalStep, PlacementJournal } from './core.ts';
import { storedPath } from './stored-path.ts';

const STEPS_PER_PAGE = 500;
const IN_THE_WAY: ReadonlySet<ErrorCode> = new Set(['symlink', 'not_directory', 'not_found', 'is_directory', 'exists']);

/** The journal of one copy-in, and what it keeps aside until that copy-in is for good. */
export interface Journal extends PlacementJournal {
  /**
   * Takes back what this process did, whatever has become of the rows meanwhile. Run again after a failure, it goes on. False
   * where it had done nothing.
   */
  rollBack(home: Home): Promise<boolean>;
  /** Frees what was kept aside. Only after the rows of the journal are gone: then nothing can want it back. */
  forget(home: Home): Promise<void>;
}

/** A journal whose steps are rows in the database before they are taken; `owner` is the run they belong to. */
export function openJournal(db: Database, owner: string): Journal {
  const recorded: JournalStep[] = [];
  return {
    owner,
    async record(steps) {
      await insertSteps(
        db,
        steps.map((step, n) => ({ ...step, run_id: owner, n: recorded.length + n })),
      );
      recorded.push(...steps);
    },
    async rollBack(home) {
      await takeAllBack(home, recorded.toReversed());
      return recorded.length > 0;
    },
    async forget(home) {
      for (const { aside } of recorded.splice(0)) if (aside !== null) await home.staging.forget(aside);
    },
  };
}

/**
 * Takes back what another process recorded before it died, last step first: what was kept aside returns to its path, what was
 * placed goes where it is still the same file, directories that were made go when they are empty. Steps that were never taken,
 * or taken back before, change nothing, so an interrupted rollback is simply run again. The rows stay: the caller deletes them
 * with the run.
 */
export async function rollBack(db: Database, home: Home, owner: string): Promise<void> {
  let before: number | null = null;
  for (;;) {
    const steps = await stepsBackwards(db, owner, before, STEPS_PER_PAGE);
    const last = steps.at(-1);
    if (last === undefined) return;
    await takeAllBack(
      home,
      steps.map((step) => ({ ...step, path: storedPath(step.path) })),
    );
    before = last.n;
  }
}

async function takeAllBack(home: Home, steps: readonly JournalStep[]): Promise<void> {
  for (const step of steps) await takeBack(home, step);
  await home.tree.flush(new Set(steps.map((step) => parentOf(step.path))));
}

async function takeBack(home: Home, step: JournalStep): Promise<void> {
  const { tree } = home;
  if (step.kind === 'directory') return unlessInTheWay(tree.rmdirIfEmpty(step.path), undefined);
  if (step.aside !== null && (await restore(home, step.aside, step.path))) return;
  const entry = await unlessInTheWay(tree.find(step.path), null);
  if (entry?.inode === step.inode) await tree.remove(step.path, { recursive: false });
}

async function restore({ tree, staging }: Home, aside: string, path: TreePath): Promise<boolean> {
  try {
    return await staging.restore(tree, aside, path);
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'not_found') return unlessInTheWay(Promise.reject(error), true);
  }
  // A process in the mount removed the directory meanwhile; the file still belongs there.
  return unlessInTheWay(
    tree.mkdir(parentOf(path)).then(() => staging.restore(tree, aside, path)),
    true,
  );
}

/**
 * A process in the mount may have put a link, a file or a directory where a step was taken. What it did there is its own:
 * the rollback touches only what the copy-in placed, and goes on.
 */
async function unlessInTheWay<T>(outcome: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await outcome;
  } catch (error) {
    if (error instanceof FsError && IN_THE_WAY.has(error.code)) return otherwise;
    throw error;
  }
}
