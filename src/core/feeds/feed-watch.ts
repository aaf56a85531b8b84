import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { findFeed } from '../../db/changes.ts';
import type { Database } from '../../db/schema.ts';
import { beginWatch, endWatch } from '../../db/watches.ts';
import type { Log } from '../../log.ts';
import type { DataRoot } from '../../tree/root.ts';
import { type Account, homeOf, nameAccount } from '../account.ts';
import type { Locks } from '../locks.ts';
import type { Watches } from '../watches.ts';
import { DiskNews } from './disk-news.ts';
import type { News } from './news.ts';

export interface FeedWatchParts {
  readonly db: Database;
  readonly root: Pick<DataRoot, 'open'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly instance: string;
  readonly news: News;
  readonly watches: Watches;
  readonly locks: Pick<Locks, 'released'>;
}

/** How long a feed goes without a watch that could not be had, the first time and at most: it doubles. */
const REST_MS = 10_000;
const MAX_REST_MS = 300_000;

/**
 * Tells one feed what other processes do in its tree, for as long as it is open. Whenever a watch begins, is lost or cannot be
 * had, the feed is told that something may have gone past it.
 */
export class FeedWatch {
  readonly #parts: FeedWatchParts;
  readonly #account: Account;
  readonly #closing = new AbortController();
  readonly #work: Promise<void>;
  /** Resolves when what happens from now on is told, or it is known that it cannot be for now. */
  readonly begun: Promise<void>;

  constructor(parts: FeedWatchParts, account: Account) {
    this.#parts = parts;
    this.#account = account;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.begun = promise;
    this.#work = this.#watchOn(resolve).finally(resolve);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#work;
  }

  async #watchOn(onBegun: () => void): Promise<void> {
    const { signal } = this.#closing;
    for (let restMs = REST_MS; ; restMs = Math.min(restMs * 2, MAX_REST_MS)) {
      const lasted = await this.#watchOnce(onBegun);
      if (signal.aborted) return;
      await this.#missed();
      onBegun();
      if (lasted) restMs = REST_MS;
      await pause(restMs, undefined, { signal, ref: false }).catch(() => undefined); // aborted: the loop ends
      if (signal.aborted) return;
    }
  }

  /** Watches until the watch is lost or this is closed. False where there was none to be had. */
  async #watchOnce(onBegun: () => void): Promise<boolean> {
    const { watches, root, db, clock, instance } = this.#parts;
    const row = { instance, ...this.#account };
    const over = new AbortController();
    const diskNews = Promise.withResolvers<DiskNews>();
    diskNews.promise.catch(() => undefined);
    try {
      // Watching would make a place on the disk for a volume that was removed.
      if ((await findFeed(db, this.#account)) === null) return false;
      const watched = await watches.watch(this.#account, {
        onChange: async (changes) => (await diskNews.promise).tell(changes),
        onGap: async () => {
          if (!(await this.#missed())) over.abort();
        },
        onOverflow: () => over.abort(),
        signal: this.#closing.signal,
      });
      try {
        if (over.signal.aborted) return false;
        const begunAfter = await beginWatch(db, row, clock().getTime());
        if (begunAfter === null) return false;
        this.#parts.news.wake(this.#account);
        const { tree } = await root.open(homeOf(this.#account));
        diskNews.resolve(new DiskNews({ ...this.#parts, account: this.#account, tree, begunAfter }));
        onBegun();
        await aborted(AbortSignal.any([over.signal, this.#closing.signal]));
        return true;
      } finally {
        diskNews.reject(new Error('the watch is over'));
        await watched.close();
        await endWatch(db, row);
      }
    } catch (error) {
      this.#parts.log.warn({ err: error, volume: nameAccount(this.#account) }, 'a volume cannot be watched for now');
      return false;
    }
  }

  /** False where the feed could not be told. A watch that begins tells it again. */
  async #missed(): Promise<boolean> {
    const { news, log } = this.#parts;
    try {
      await news.missed(this.#account);
      return true;
    } catch (error) {
      log.warn(
        { err: error, volume: nameAccount(this.#account) },
        'listeners could not be told that they missed something',
      );
      return false;
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
