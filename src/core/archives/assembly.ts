import type { Readable } from 'node:stream';
import { FsError } from '../../errors.ts';
import type { Count, Entry } from '../../tree/entry.ts';
import { demandCreatable, display, join, ROOT, type TreePath } from '../../tree/path.ts';
import type { NewAttributes, NewDirectory, NewFileOptions } from '../../tree/staging.ts';
import { add } from '../account.ts';
import { demandReplaceable } from '../copying.ts';
import type { Assembly } from '../core.ts';
import { type Landing, placeAll } from '../placing.ts';
import { Room } from '../room.ts';
import type { TurnLimits } from '../turns.ts';
import type { VolumeParts } from '../volume-parts.ts';

/** For assemblies: the names of a large archive, and where each is to go, are in memory until the end. */
export const ASSEMBLY_TURNS: TurnLimits = {
  what: 'extractions',
  atOnce: 8,
  perTenant: 2,
  waiting: { atOnce: 64, perTenant: 16 },
  retryAfterSeconds: 10,
};

/** @throws rate_limited, unavailable where too many wait for their turn; exists, not_directory, symlink where something that is no directory is in the way */
export async function openAssembly(parts: VolumeParts, at: TreePath, signal: AbortSignal): Promise<Assembly> {
  if (at !== ROOT) demandCreatable(at);
  const endTurn = await parts.assemblies.take(parts.account.tenant, signal);
  try {
    demandDirectory(await parts.home.tree.find(at), at);
    return new VolumeAssembly(parts, at, await parts.home.staging.directory(at), endTurn);
  } catch (error) {
    endTurn();
    throw error;
  }
}

class VolumeAssembly implements Assembly {
  readonly #parts: VolumeParts;
  readonly #at: TreePath;
  readonly #made: NewDirectory;
  readonly #room: Room;
  readonly #endTurn: () => void;
  #claimed: Count = { bytes: 0, files: 1 };

  constructor(parts: VolumeParts, at: TreePath, made: NewDirectory, endTurn: () => void) {
    this.#parts = parts;
    this.#at = at;
    this.#made = made;
    this.#endTurn = endTurn;
    this.#room = new Room(parts.quota, parts.account);
  }

  async mkdir(path: TreePath, attributes: NewAttributes): Promise<void> {
    if (!this.#made.has(path)) await this.#claim({ bytes: 0, files: 1 });
    await this.#made.mkdir(path, attributes);
  }

  async write(path: TreePath, body: Readable, options: NewFileOptions): Promise<void> {
    try {
      await this.#claim({ bytes: 0, files: 1 });
    } catch (error) {
      body.destroy();
      throw error;
    }
    await this.#made.write(path, body, this.#charged(options));
  }

  async copy(from: TreePath, to: TreePath, options: NewFileOptions): Promise<void> {
    await this.#claim({ bytes: 0, files: 1 });
    await this.#made.copy(from, to, this.#charged(options));
  }

  async symlink(path: TreePath, target: string): Promise<void> {
    await this.#claim({ bytes: 0, files: 1 });
    await this.#made.symlink(path, target);
  }

  async commit({ overwrite, keep }: { readonly overwrite: boolean; readonly keep: TreePath }): Promise<void> {
    try {
      const landings = await this.#landings(overwrite);
      if (landings.some(({ path }) => path === keep)) throw overItself(keep);
      if (landings.length > 0) await placeAll(this.#parts, this.#room, landings);
    } finally {
      // Discarding what was placed does nothing; releasing what was settled neither.
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    try {
      await this.#made.discard();
      await this.#room.release();
    } finally {
      this.#endTurn();
    }
  }

  /** The whole, or where a directory is there already each part that is new to it or replaces a file. */
  async #landings(overwrite: boolean): Promise<readonly Landing[]> {
    const { tree } = this.#parts.home;
    const whole = await this.#made.finish();
    const there = await tree.find(this.#at);
    if (there === null) return [{ path: this.#at, staged: whole, charge: whole, mode: 'create' }];
    demandDirectory(there, this.#at);
    const landings: Landing[] = [];
    const shared = [ROOT];
    for (const dir of shared) {
      for await (const part of this.#made.parts(dir)) {
        const path = join(this.#at, part.path);
        const before = await tree.find(path);
        if (part.kind === 'directory' && before?.kind === 'directory') {
          shared.push(part.path);
          continue;
        }
        demandReplaceable(before, part, path, overwrite);
        landings.push({ path, staged: part, charge: part, mode: before === null ? 'create' : 'upsert' });
      }
    }
    return landings;
  }

  #charged({ onBytes, ...attributes }: NewFileOptions): NewFileOptions {
    return {
      ...attributes,
      onBytes: async (bytes) => {
        await onBytes(bytes);
        await this.#claim({ bytes, files: 0 });
      },
    };
  }

  #claim(more: Count): Promise<void> {
    this.#claimed = add(this.#claimed, more);
    const { quota, account } = this.#parts;
    return quota.afterRecount(account, () => this.#room.cover(this.#claimed, 'ahead'));
  }
}

/** @throws exists */
function demandDirectory(entry: Entry | null, path: TreePath): void {
  if (entry === null || entry.kind === 'directory') return;
  const shown = display(path);
  throw new FsError('exists', `${shown} exists and is not a directory; choose another destination`, { path: shown });
}

function overItself(path: TreePath): FsError {
  const shown = display(path);
  return new FsError(
    'conflict',
    `${shown} is the archive itself, and it has an entry of that name; choose another destination`,
    {
      path: shown,
    },
  );
}
