import { FsError } from '../errors.ts';
import type { Count, Entry } from '../tree/entry.ts';
import type { Staged } from '../tree/staging.ts';
import type { OpenFile } from '../tree/tree.ts';
import { add, NOTHING } from './account.ts';
import type { Intake, Placement, PlacementJournal } from './core.ts';
import { placeAll } from './placing.ts';
import { type Growth, Room } from './room.ts';
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
  const { staging } = parts.home;
  const room = new Room(parts.quota, parts.account);
  const staged: Staged[] = [];
  /** What the bodies so far were seen to need; grows while they arrive. */
  let claimed: Count = NOTHING;
  /** True once the caller reserved for all of it: then copies are not charged one by one. */
  let planned = false;

  function claim(more: Count, growth: Growth): Promise<void> {
    claimed = add(claimed, more);
    return parts.quota.afterRecount(parts.account, () => room.cover(claimed, growth));
  }

  async function abort(): Promise<void> {
    await Promise.all(staged.splice(0).map((file) => file.discard()));
    await room.release();
  }

  return {
    async receive(body, { maxBytes, declaredBytes = null, permissions }) {
      demandFits(declaredBytes, maxBytes);
      let mine = declaredBytes ?? 0;
      await claim({ bytes: mine, files: 1 }, 'exact');
      const onBytes = async (total: number) => {
        const more = total - mine;
        if (more <= 0) return;
        mine = total;
        await claim({ bytes: more, files: 0 }, 'ahead');
      };
      const file = await staging.receive(body, { maxBytes, onBytes, mode: permissions ?? DEFAULT_PERMISSIONS });
      staged.push(file);
      return file;
    },

    async copy(source: OpenFile, options = {}) {
      try {
        if (!planned) await claim({ bytes: source.entry.charged, files: 1 }, 'exact');
      } catch (error) {
        await source.close();
        throw error;
      }
      const mode = options.permissions;
      const file = await staging.copy(source, mode === undefined ? {} : { mode });
      staged.push(file);
      return file;
    },

    async reserve(count) {
      planned = true;
      await parts.quota.afterRecount(parts.account, () => room.grow(count));
    },

    async commit(placements: readonly Placement[], journal?: PlacementJournal): Promise<readonly Entry[]> {
      try {
        const landings = placements.map((placement) => ({
          ...placement,
          charge: { bytes: placement.staged.charged, files: 1 },
        }));
        const placed = await placeAll(parts, room, landings, { journal });
        return placed.map((one) => one.entry);
      } finally {
        // Discarding what was placed does nothing; releasing what was settled neither.
        await abort();
      }
    },

    abort,
  };
}
