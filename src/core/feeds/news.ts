import type { Clock } from '../../clock.ts';
import { appendChanges, appendResync, type NewChange } from '../../db/changes.ts';
import type { Database } from '../../db/schema.ts';
import type { Entry } from '../../tree/entry.ts';
import { ROOT, type TreePath } from '../../tree/path.ts';
import { type Account, lockName } from '../account.ts';
import type { Change } from '../core.ts';

/** A change that is about to be recorded. */
export interface Told {
  readonly type: Change['type'];
  readonly path: TreePath;
  readonly from?: TreePath;
  readonly isDirectory: boolean;
  /** What is there now; null: nothing. */
  readonly entry: Entry | null;
}

/** Writes changes to the feeds of those volumes that somebody listens to, and wakes who listens in this process. */
export interface News {
  /** Records the changes as part of a transaction. They can be heard once it has ended: then `wake`. */
  record(tx: Database, account: Account, told: readonly Told[], origin: Change['origin']): Promise<void>;
  /** Tells the volume's listeners that something may have gone past them. */
  missed(account: Account): Promise<void>;
  wake(account: Account): void;
  /** Calls `listener` whenever the volume's feed has grown through this process. Returns what ends that. */
  onWake(account: Account, listener: () => void): () => void;
}

// A transaction of more would keep all other writers waiting, and who hears of so many at once looks at everything anyway.
const MAX_AT_ONCE = 10_000;
const RESYNC: Told = { type: 'resync', path: ROOT, isDirectory: true, entry: null };

export function openNews({ db, clock }: { readonly db: Database; readonly clock: Clock }): News {
  const listeners = new Map<string, Set<() => void>>();

  function wake(account: Account): void {
    for (const listener of listeners.get(lockName(account)) ?? []) listener();
  }

  return {
    async record(tx, account, told, origin) {
      if (told.length === 0) return;
      const at = clock().getTime();
      const changes = told.length > MAX_AT_ONCE ? [RESYNC] : told;
      await appendChanges(
        tx,
        account,
        changes.map((one) => toRow(one, origin, at)),
      );
    },

    async missed(account) {
      await appendResync(db, account, clock().getTime());
      wake(account);
    },

    wake,

    onWake(account, listener) {
      const name = lockName(account);
      const known = listeners.get(name) ?? new Set();
      listeners.set(name, known.add(listener));
      return () => {
        known.delete(listener);
        if (known.size === 0) listeners.delete(name);
      };
    },
  };
}

function toRow({ type, path, from, isDirectory, entry }: Told, origin: Change['origin'], at: number): NewChange {
  const size = entry === null || entry.kind === 'directory' ? null : entry.size;
  const version = entry?.version ?? null;
  return { type, path, from_path: from ?? null, is_dir: isDirectory ? 1 : 0, size, version, origin, at };
}
