import { LRUCache } from 'lru-cache';
import { pageChanges, type StoredChange } from '../../db/changes.ts';
import type { Database } from '../../db/schema.ts';
import { inTransaction } from '../../db/transaction.ts';
import { Ancestry } from '../../tree/ancestry.ts';
import { changedNs, type Entry } from '../../tree/entry.ts';
import type { TreePath } from '../../tree/path.ts';
import { forEachOf } from '../../tree/pool.ts';
import type { Tree } from '../../tree/tree.ts';
import type { DiskChange } from '../../tree/watch.ts';
import { type Account, lockName } from '../account.ts';
import { atMost } from '../at-most.ts';
import type { Locks } from '../locks.ts';
import { storedPath } from '../stored-path.ts';
import { nullIfUnreachable } from '../unreachable.ts';
import type { News, Told } from './news.ts';

export interface DiskNewsParts {
  readonly db: Database;
  readonly news: News;
  readonly locks: Pick<Locks, 'released'>;
  readonly account: Account;
  readonly tree: Pick<Tree, 'find'>;
  /** The number of the feed's last change when the watch began. */
  readonly begunAfter: number;
}

const PAGE = 1000;
/** How long what was seen waits at most for the request that may have done it to tell of it. */
const PATIENCE_MS = 2000;
/** Forgetting one costs a change told twice. */
const MAX_REMEMBERED = 20_000;
const LOOKS_AT_ONCE = 16;

/** What the feed said last of a path. */
interface Known {
  readonly seq: number;
  readonly isThere: boolean;
  readonly isDirectory: boolean;
  readonly version: string | null;
}

/** A directory that came with all that is in it. */
interface Arrival {
  readonly seq: number;
  readonly changedNs: bigint;
}

/** Of the directories above a path: the number of the last that went, and all that came whole. */
interface Above {
  readonly went: Ancestry<number>;
  readonly came: Ancestry<readonly Arrival[]>;
}

/**
 * Tells a feed what a watcher saw on the disk, but for what the feed tells already: most of what is seen was done through the
 * daemon, by this process or another. It knows by reading the feed as it grows, and by comparing versions.
 */
export class DiskNews {
  readonly #parts: DiskNewsParts;
  readonly #known = new LRUCache<TreePath, Known>({ max: MAX_REMEMBERED });
  /** By path: when a directory came there, and when one went from there, with everything in it. */
  readonly #came = new LRUCache<TreePath, Arrival>({ max: MAX_REMEMBERED });
  readonly #went = new LRUCache<TreePath, number>({ max: MAX_REMEMBERED });
  #readUpTo: number;

  constructor(parts: DiskNewsParts) {
    this.#parts = parts;
    this.#readUpTo = parts.begunAfter;
  }

  /** Takes in one batch after the other. */
  async tell(changes: readonly DiskChange[]): Promise<void> {
    const { db, news, account, locks } = this.#parts;
    const paths = changes.map(({ path }) => path);
    await atMost(PATIENCE_MS, locks.released(lockName(account), paths));
    const before = this.#readUpTo;
    await this.#read();
    let told = this.#newsOf(changes);
    // The feed may tell of what happened after they were seen, and a state that is over must not come after it.
    if (this.#readUpTo > before) told = this.#newsOf(await this.#asTheyAre(told, changes));
    if (told.length === 0) return;
    await inTransaction(db, (tx) => news.record(tx, account, told, 'disk'));
    news.wake(account);
  }

  async #read(): Promise<void> {
    for (;;) {
      const page = await pageChanges(this.#parts.db, this.#parts.account, this.#readUpTo, PAGE);
      for (const row of page) this.#learn(row);
      this.#readUpTo = page.at(-1)?.seq ?? this.#readUpTo;
      if (page.length < PAGE) return;
    }
  }

  #learn({ seq, type, path: stored, from_path: from, is_dir, version, origin }: StoredChange): void {
    if (type === 'resync') return;
    const path = storedPath(stored);
    const isDirectory = is_dir === 1;
    const isThere = type !== 'deleted';
    this.#known.set(path, { seq, isThere, isDirectory, version });
    if (!isThere) this.#went.set(path, seq);
    const cameWhole = origin === 'api' && isDirectory && (type === 'created' || type === 'moved');
    if (cameWhole && version !== null) this.#came.set(path, { seq, changedNs: changedNs(version) });
    if (from === null) return;
    const left = storedPath(from);
    this.#known.set(left, { seq, isThere: false, isDirectory, version: null });
    this.#went.set(left, seq);
  }

  #newsOf(changes: readonly DiskChange[]): readonly Told[] {
    const above = this.#above();
    return withoutContent(changes).flatMap((change) => this.#toldOf(change, above) ?? []);
  }

  /** Those of the changes that would be told, as they are now. */
  async #asTheyAre(told: readonly Told[], changes: readonly DiskChange[]): Promise<readonly DiskChange[]> {
    const entries = new Map<TreePath, Entry | null>();
    await forEachOf(told, LOOKS_AT_ONCE, async ({ path }) => {
      entries.set(path, await this.#parts.tree.find(path).catch(nullIfUnreachable));
    });
    return changes.flatMap((change) => {
      const entry = entries.get(change.path);
      return entry === undefined ? [] : [{ ...change, entry }];
    });
  }

  /** What is known of the directories above the paths of one batch. */
  #above(): Above {
    return {
      went: new Ancestry<number>(0, (above, dir) => Math.max(above, this.#went.get(dir) ?? 0)),
      came: new Ancestry<readonly Arrival[]>([], (above, dir) => {
        const arrival = this.#came.get(dir);
        return arrival === undefined ? above : [...above, arrival];
      }),
    };
  }

  #toldOf({ path, entry, before }: DiskChange, above: Above): Told | null {
    const known = this.#known.get(path);
    const wasThere = known?.isThere ?? before !== null;
    if (entry === null) {
      if (!wasThere || above.went.above(path) > (known?.seq ?? 0)) return null;
      return { type: 'deleted', path, isDirectory: known?.isDirectory ?? before === 'directory', entry };
    }
    const isDirectory = entry.kind === 'directory';
    const wasDirectory = known?.isThere === true ? known.isDirectory : before === 'directory';
    // Its times change with whatever is put into it, and that is told.
    if (isDirectory && wasThere && wasDirectory) return null;
    if (known?.version === entry.version || cameWithParent(entry, known, above)) return null;
    return { type: wasThere ? 'modified' : 'created', path, isDirectory, entry };
  }
}

/** Its inode was as it is now when the directory came. */
function cameWithParent({ path, version }: Entry, known: Known | undefined, { came }: Above): boolean {
  const changed = changedNs(version);
  return came.above(path).some((arrival) => arrival.seq > (known?.seq ?? 0) && changed < arrival.changedNs);
}

/** What went with its directory is told by the directory alone. */
function withoutContent(changes: readonly DiskChange[]): readonly DiskChange[] {
  const gone = new Set(changes.flatMap(({ path, entry }) => (entry === null ? [path] : [])));
  const went = new Ancestry<boolean>(false, (above, dir) => above || gone.has(dir));
  return changes.filter(({ path, entry }) => entry !== null || !went.above(path));
}
