import type { StoredFeed } from '../../db/changes.ts';
import type { Account } from '../account.ts';
import { atMost } from '../at-most.ts';
import type { FeedWatch } from './feed-watch.ts';
import type { News } from './news.ts';

/** One volume's feed as this process serves it: its tree is watched, and its listeners are woken when it grows. */
export class OpenFeed {
  readonly account: Account;
  readonly #watch: FeedWatch;
  readonly #stopHearing: () => void;
  readonly #waiting = new Set<() => void>();
  #next = 0;
  #wakes = 0;
  #isOver = false;
  #askedAt = performance.now();

  constructor(account: Account, news: News, watch: FeedWatch) {
    this.account = account;
    this.#watch = watch;
    this.#stopHearing = news.onWake(account, () => this.#wake());
  }

  /** Goes up whenever the feed may have grown: take it before reading, and give it to `grown` after. */
  get wakes(): number {
    return this.#wakes;
  }

  /** True once the volume was removed, or the daemon stops. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** How long nobody has asked for it. */
  get idleMs(): number {
    return performance.now() - this.#askedAt;
  }

  /** Resolves when changes on the disk are told, or it is known that they cannot be for now, or after this long. */
  async begun(patienceMs: number): Promise<void> {
    this.#askedAt = performance.now();
    await atMost(patienceMs, this.#watch.begun);
  }

  /** Resolves when the feed may have grown since `wakes` was taken, after this long, or when the signal aborts. */
  async grown(since: number, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#wakes !== since || signal.aborted) return;
    let wake = () => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.#waiting.add(wake);
    signal.addEventListener('abort', wake);
    await atMost(ms, woken);
    this.#waiting.delete(wake);
    signal.removeEventListener('abort', wake);
    this.#askedAt = performance.now();
  }

  /** Takes in how the feed stands in the database, where other processes write to it too; null: it is gone. */
  stands(state: StoredFeed | null): void {
    if (state?.next === this.#next) return;
    this.#next = state?.next ?? 0;
    this.#wake();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#stopHearing();
    this.#wake();
    await this.#watch.close();
  }

  #wake(): void {
    this.#wakes += 1;
    for (const wake of [...this.#waiting]) wake();
  }
}
