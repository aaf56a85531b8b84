import { randomBytes } from 'node:crypto';
import { beginFeed, findFeed, type StoredFeed, touchFeed } from '../../db/changes.ts';
import { FsError } from '../../errors.ts';
import { type Account, lockName, nameAccount } from '../account.ts';
import { FeedWatch, type FeedWatchParts } from './feed-watch.ts';
import { OpenFeed } from './open-feed.ts';

/** A feed, and how it stood when it was asked for. */
export interface Asked {
  readonly feed: OpenFeed;
  readonly state: StoredFeed;
}

/** The feeds that somebody asks for through this process. */
export interface Feeds {
  /**
   * The feed, begun where there was none, with its tree watched: where that takes long, it goes on in the background. It stays
   * open for minutes after the last call, so that who asks now and then misses nothing. @throws not_found
   */
  ask(account: Account): Promise<Asked>;
  /** As `ask`, and the feed stays open until the signal aborts. @throws not_found; rate_limited where too many listen */
  listen(account: Account, signal: AbortSignal): Promise<Asked>;
  close(): Promise<void>;
}

const LISTENERS_PER_VOLUME = 100;
const LISTENERS_PER_TENANT = 1000;
/** What other processes record is looked for this often. */
const LOOK_EVERY_MS = 1000;
const LINGER_MS = 300_000;
const WATCH_PATIENCE_MS = 10_000;
/** Shorter than any retention. */
const TOUCH_EVERY_MS = 10_000;

export function openFeeds(parts: FeedWatchParts): Feeds {
  const { db, clock, log } = parts;
  const open = new Map<string, OpenFeed>();
  const listeners = new Listeners();
  let looking: Promise<void> | null = null;

  async function ensure(account: Account): Promise<void> {
    const now = clock().getTime();
    const found = await findFeed(db, account);
    if (found === null) await beginFeed(db, account, { epoch: randomBytes(6).toString('hex'), now });
    else if (found.asked_at < now - TOUCH_EVERY_MS) await touchFeed(db, account, now);
  }

  function opened(account: Account): OpenFeed {
    const name = lockName(account);
    const known = open.get(name);
    if (known !== undefined) return known;
    const feed = new OpenFeed(account, parts.news, new FeedWatch(parts, account));
    open.set(name, feed);
    return feed;
  }

  async function ask(account: Account): Promise<Asked> {
    await ensure(account);
    const feed = opened(account);
    await feed.begun(WATCH_PATIENCE_MS);
    const state = await findFeed(db, account);
    if (state === null) throw new FsError('not_found', `${nameAccount(account)} does not exist any more`);
    return { feed, state };
  }

  async function lookAt(feed: OpenFeed): Promise<void> {
    const isHeard = listeners.of(feed.account) > 0;
    const state = await findFeed(db, feed.account);
    feed.stands(state);
    const now = clock().getTime();
    if (state !== null && isHeard && state.asked_at < now - TOUCH_EVERY_MS) await touchFeed(db, feed.account, now);
    if (state === null || (!isHeard && feed.idleMs > LINGER_MS)) await drop(feed);
  }

  async function drop(feed: OpenFeed): Promise<void> {
    open.delete(lockName(feed.account));
    await feed.close();
  }

  async function look(): Promise<void> {
    try {
      for (const feed of [...open.values()]) await lookAt(feed);
    } catch (error) {
      log.warn({ err: error }, 'the feeds of changes could not be looked at; the next look tries again');
    }
    looking = null;
  }

  const timer = setInterval(() => {
    looking ??= look();
  }, LOOK_EVERY_MS);
  timer.unref();

  return {
    ask,
    async listen(account, signal) {
      listeners.add(account, signal);
      return ask(account);
    },
    async close() {
      clearInterval(timer);
      await looking;
      await Promise.all([...open.values()].map(drop));
    },
  };
}

/** How many listen through this process. */
class Listeners {
  readonly #counts = new Map<string, number>();

  of(account: Account): number {
    return this.#counts.get(lockName(account)) ?? 0;
  }

  /** One more, until the signal aborts. @throws rate_limited */
  add(account: Account, signal: AbortSignal): void {
    signal.throwIfAborted();
    const tenant = { ...account, part: '' };
    this.#demandFew(account, LISTENERS_PER_VOLUME);
    this.#demandFew(tenant, LISTENERS_PER_TENANT);
    for (const one of [account, tenant]) this.#change(one, 1);
    const leave = () => {
      for (const one of [account, tenant]) this.#change(one, -1);
    };
    signal.addEventListener('abort', leave, { once: true });
  }

  #demandFew(account: Account, limit: number): void {
    if (this.of(account) < limit) return;
    const sentence = `${nameAccount(account)} has ${limit} listeners already; close one, or ask for changes now and then`;
    throw new FsError('rate_limited', sentence, { limit, retryAfterSeconds: 5 });
  }

  #change(account: Account, by: number): void {
    const count = this.of(account) + by;
    if (count === 0) this.#counts.delete(lockName(account));
    else this.#counts.set(lockName(account), count);
  }
}
