import { FsError } from '../errors.ts';
import type { Count, Entry } from '../tree/entry.ts';
import type { TreePath } from '../tree/path.ts';
import type { Staged } from '../tree/staging.ts';
import type { OpenFile, Tree } from '../tree/tree.ts';
import { add, freedBy, NOTHING, subtract } from './account.ts';
import type { Intake, Placement, PlacementJournal } from './core.ts';
import { placeAll } from './placing.ts';
import { type Growth, Room } from './room.ts';
import { nullIfUnreachable } from './unreachable.ts';
import type { VolumeParts } from './volume-parts.ts';

export const DEFAULT_PERMISSIONS = 0o644;

/** @throws too_large when the declared length says before the first byte that a body will not fit */
export function demandFits(declaredBytes: number | null, maxBytes: number): void {
  if (declaredBytes === null || declaredBytes <= maxBytes) return;
  throw new FsError('too_large', `the content is ${declaredBytes} bytes; at most ${maxBytes} are accepted here`, {
    limit: maxBytes,
    requested: declaredBytes,
  });
}

export function openIntake(parts: VolumeParts): Intake {
  return new VolumeIntake(parts);
}

class VolumeIntake implements Intake {
  readonly #parts: VolumeParts;
  readonly #room: Room;
  readonly #staged: Staged[] = [];
  /** What the bodies so far were seen to need, less what they will probably replace. */
  #claimed: Count = NOTHING;
  /** Paths whose files count as room already: each is replaced once. */
  readonly #credited = new Set<TreePath>();
  /** True once the caller reserved for all of it: then copies are not charged one by one. */
  #isPlanned = false;

  constructor(parts: VolumeParts) {
    this.#parts = parts;
    this.#room = new Room(parts.quota, parts.account);
  }

  async receive(...[body, options]: Parameters<Intake['receive']>): Promise<Staged> {
    const { maxBytes, declaredBytes = null, permissions: mode = DEFAULT_PERMISSIONS, replacing } = options;
    demandFits(declaredBytes, maxBytes);
    const credit = replacing === undefined ? NOTHING : await this.#creditFor(replacing);
    let mine = declaredBytes ?? 0;
    await this.#claim(subtract({ bytes: mine, files: 1 }, credit), 'ahead');
    const onBytes = async (total: number) => {
      const more = total - mine;
      if (more <= 0) return;
      mine = total;
      await this.#claim({ bytes: more, files: 0 }, 'ahead');
    };
    const file = await this.#parts.home.staging.receive(body, { maxBytes, onBytes, mode });
    this.#staged.push(file);
    return file;
  }

  async copy(source: OpenFile, { permissions }: { readonly permissions?: number } = {}): Promise<Staged> {
    try {
      if (!this.#isPlanned) await this.#claim({ bytes: source.entry.charged, files: 1 }, 'exact');
    } catch (error) {
      await source.close();
      throw error;
    }
    const file = await this.#parts.home.staging.copy(source, permissions === undefined ? {} : { mode: permissions });
    this.#staged.push(file);
    return file;
  }

  async reserve(count: Count): Promise<void> {
    this.#isPlanned = true;
    const { quota, account } = this.#parts;
    await quota.afterRecount(account, () => this.#room.grow(count));
  }

  async commit(placements: readonly Placement[], journal?: PlacementJournal): Promise<readonly Entry[]> {
    try {
      const landings = placements.map((one) => ({ ...one, charge: { bytes: one.staged.charged, files: 1 } }));
      const placed = await placeAll(this.#parts, this.#room, landings, { journal });
      return placed.map((one) => one.entry);
    } finally {
      // Discarding what was placed does nothing; releasing what was settled neither.
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    await Promise.all(this.#staged.splice(0).map((file) => file.discard()));
    await this.#room.release();
  }

  async #creditFor(path: TreePath): Promise<Count> {
    if (this.#credited.has(path)) return NOTHING;
    this.#credited.add(path);
    return freedBy(await findFile(this.#parts.home.tree, path));
  }

  #claim(more: Count, growth: Growth): Promise<void> {
    this.#claimed = add(this.#claimed, more);
    const { quota, account } = this.#parts;
    return quota.afterRecount(account, () => this.#room.cover(this.#claimed, growth));
  }
}

/** What a file placed there would replace. Where none can be placed, the commit says so: the path is only a guess. */
async function findFile(tree: Tree, path: TreePath): Promise<Entry | null> {
  const entry = await tree.find(path).catch(nullIfUnreachable);
  return entry?.kind === 'directory' ? null : entry;
}
