import { FsError } from '../errors.ts';
import { Ancestry } from '../tree/ancestry.ts';
import type { Count, Entry } from '../tree/entry.ts';
import { demandCreatable, display, parentOf, type TreePath } from '../tree/path.ts';
import type { Placeable } from '../tree/staging.ts';
import type { Placed, PlaceMode } from '../tree/tree.ts';
import { add, chargeOf, freedBy, NOTHING, subtract } from './account.ts';
import type { Expected, JournalStep, PlacementJournal } from './core.ts';
import { demandExpected, demandsAbsence } from './expected.ts';
import type { Told } from './feeds/news.ts';
import { arrived, madeDirectories, settleAndTell } from './feeds/telling.ts';
import type { PathGuard } from './locks.ts';
import { makeParents, missingParents, removeParents } from './parents.ts';
import type { Also } from './quota.ts';
import type { Reservation } from './room.ts';
import type { VolumeParts } from './volume-parts.ts';

/** Something staged and where it is to go. */
export interface Landing {
  readonly path: TreePath;
  readonly staged: Placeable;
  /** What it will be charged once it is in place. */
  readonly charge: Count;
  readonly mode: PlaceMode;
  readonly expected?: Expected;
}

interface PlaceOptions {
  readonly journal?: PlacementJournal | undefined;
  readonly also?: Also | undefined;
  /** What is placed stays there where a later step fails: its owner goes on from that. */
  readonly stays?: boolean | undefined;
}

interface Plan {
  /** What each landing replaces, or null. */
  readonly current: readonly (Entry | null)[];
  /** The name each replaced entry is kept aside under, or null. */
  readonly asides: readonly (string | null)[];
  readonly keepsAsides: boolean;
  readonly parents: readonly TreePath[];
}

/**
 * Puts everything in place or nothing: what can be refused is refused before the first change, under the lock of every path;
 * what fails later is undone, unless a journal has it in hand. Ends the room. Readers may see a part while it goes on.
 * @throws exists, not_found, is_directory, not_directory, conflict, precondition_failed, quota_exceeded
 */
export async function placeAll(
  parts: VolumeParts,
  room: Reservation,
  landings: readonly Landing[],
  { journal, also, stays }: PlaceOptions = {},
): Promise<readonly Placed[]> {
  demandDistinct(landings);
  await parts.home.staging.flush(landings.map((landing) => landing.staged));
  const paths = landings.map((landing) => landing.path);
  return parts.quota.afterRecount(parts.account, () =>
    parts.locks.withPathLock(parts.lock, paths, (guard) =>
      placeHeld({ parts, room, guard }, landings, { journal, also, stays }),
    ),
  );
}

/** What a placing stands on whose paths are locked already. */
interface Held {
  readonly parts: VolumeParts;
  readonly room: Reservation;
  readonly guard: PathGuard;
}

/** As `placeAll`, for a caller that holds the lock of every path, inside `Quota.afterRecount`, and whose bytes are flushed. */
export async function placeHeld(
  { parts, room, guard }: Held,
  landings: readonly Landing[],
  { journal, also, stays = journal !== undefined }: PlaceOptions = {},
): Promise<readonly Placed[]> {
  const plan = await makePlan(parts, landings, journal);
  await room.cover(needOf(landings, plan), 'exact');
  await guard.check();
  await journal?.record(stepsOf(landings, plan));
  return carryOut({ parts, room, landings, plan, stays, also });
}

function demandDistinct(landings: readonly Landing[]): void {
  const seen = new Set<TreePath>();
  for (const { path } of landings) {
    demandCreatable(path);
    if (seen.has(path)) throw inConflict(path, 'is named twice');
    seen.add(path);
  }
  if (seen.size === 1) return;
  const named = new Ancestry<TreePath | null>(null, (above, dir) => (seen.has(dir) ? dir : above));
  for (const { path } of landings) {
    const dir = named.above(path);
    if (dir !== null) throw inConflict(dir, 'is named both as a file and as a directory');
  }
}

function inConflict(path: TreePath, what: string): FsError {
  return new FsError('conflict', `${display(path)} ${what}; nothing was written`, { path: display(path) });
}

async function makePlan(parts: VolumeParts, landings: readonly Landing[], journal?: PlacementJournal): Promise<Plan> {
  const { tree, staging } = parts.home;
  const current: (Entry | null)[] = [];
  for (const landing of landings) {
    const entry = await tree.find(landing.path);
    demandPlaceable(landing, entry);
    current.push(entry);
  }
  // A single file needs no way back: its rename is the last thing that can fail.
  const owner = journal?.owner ?? (landings.length > 1 ? parts.instance : null);
  return {
    current,
    asides: current.map((entry) => (entry === null || owner === null ? null : staging.asideName(owner))),
    keepsAsides: owner !== null,
    parents: await missingParents(
      tree,
      landings.filter((_, n) => current[n] === null).map((landing) => landing.path),
    ),
  };
}

/** @throws precondition_failed, exists, not_found, is_directory */
export function demandPlaceable(wanted: Pick<Landing, 'path' | 'mode' | 'expected'>, entry: Entry | null): void {
  const path = display(wanted.path);
  demandExpected(wanted.expected ?? null, entry, wanted.path);
  if (entry === null) {
    if (wanted.mode !== 'update') return;
    throw new FsError('not_found', `${path} does not exist, so it cannot be updated`, { path });
  }
  if (wanted.mode === 'create') {
    throw new FsError('exists', `${path} exists already; delete it first or ask for it to be replaced`, { path });
  }
  if (entry.kind === 'directory') {
    throw new FsError('is_directory', `${path} is a directory, and a directory is never replaced by a file`, { path });
  }
}

function needOf(landings: readonly Landing[], plan: Plan): Count {
  const need = landings.reduce(
    (sum, landing, n) => add(sum, subtract(landing.charge, freedBy(plan.current[n] ?? null))),
    NOTHING,
  );
  return add(need, { bytes: 0, files: plan.parents.length });
}

function stepsOf(landings: readonly Landing[], plan: Plan): readonly JournalStep[] {
  return [
    ...plan.parents.map((path) => ({ path, kind: 'directory' as const, inode: '', aside: null })),
    ...landings.map(({ path, staged }, n) => ({
      path,
      kind: 'file' as const,
      inode: staged.inode,
      aside: plan.asides[n] ?? null,
    })),
  ];
}

interface Work {
  readonly parts: VolumeParts;
  readonly room: Reservation;
  readonly landings: readonly Landing[];
  readonly plan: Plan;
  /** Whether others undo what fails, such as the owner of a journal. */
  readonly stays: boolean;
  readonly also: Also | undefined;
}

async function carryOut(work: Work): Promise<readonly Placed[]> {
  const { parts, room, landings, plan } = work;
  const { tree } = parts.home;
  const made = await makeParents(tree, plan.parents);
  const placed: Placed[] = [];
  try {
    for (const [n, landing] of landings.entries()) {
      placed.push(
        await tree.place(landing.path, landing.staged, modeOf(landing, plan, n), plan.asides[n] ?? undefined),
      );
    }
    await tree.flush(parentsOf(landings));
  } catch (error) {
    // What others have in hand is undone by them, and charged until then.
    const left = work.stays ? placed : await undo(work, placed);
    if (!work.stays) await removeParents(tree, made);
    const parents = work.stays ? made : [];
    await settleAndTell(parts, room, actualOf(landings, left, parents.length), toldOf(left, parents));
    throw error;
  }
  await settleAndTell(parts, room, actualOf(landings, placed, made.length), toldOf(placed, made), work.also);
  if (!work.stays) await forgetAsides(work);
  return placed;
}

function toldOf(placed: readonly (Placed | null)[], parents: readonly TreePath[]): readonly Told[] {
  const files = placed.flatMap((one) => (one === null ? [] : [arrived(one.entry, one.replaced !== null)]));
  return [...madeDirectories(parents), ...files];
}

function parentsOf(landings: readonly Landing[]): ReadonlySet<TreePath> {
  return new Set(landings.map((landing) => parentOf(landing.path)));
}

function modeOf(landing: Landing, plan: Plan, n: number): PlaceMode {
  const wasAbsent = plan.current[n] === null;
  // What appeared since the plan was made has no name to be kept aside under, so it is never replaced.
  return demandsAbsence(landing.expected) || (plan.keepsAsides && wasAbsent) ? 'create' : landing.mode;
}

/** Takes back what was placed. Returns what had to stay: a single file that replaced another has no way back. */
async function undo(work: Work, placed: readonly Placed[]): Promise<readonly (Placed | null)[]> {
  const { tree, staging } = work.parts.home;
  const stays: (Placed | null)[] = [];
  for (const [n, one] of placed.entries()) {
    const path = work.landings[n]?.path ?? one.entry.path;
    const aside = work.plan.asides[n] ?? null;
    const mustStay = aside === null && one.replaced !== null;
    stays.push(mustStay ? one : null);
    if (aside !== null) await staging.restore(tree, aside, path);
    else if (!mustStay) await tree.remove(path, { recursive: true });
  }
  await tree.flush(parentsOf(work.landings));
  await forgetAsides(work);
  return stays;
}

async function forgetAsides({ parts, plan }: Work): Promise<void> {
  for (const aside of plan.asides) if (aside !== null) await parts.home.staging.forget(aside);
}

function actualOf(landings: readonly Landing[], placed: readonly (Placed | null)[], directories: number): Count {
  const files = placed.reduce((sum, one, n) => {
    if (one === null) return sum;
    const charge = one.entry.kind === 'directory' ? (landings[n]?.charge ?? NOTHING) : chargeOf(one.entry);
    return add(sum, subtract(charge, freedBy(one.replaced)));
  }, NOTHING);
  return add(files, { bytes: 0, files: directories });
}
