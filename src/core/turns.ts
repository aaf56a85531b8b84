import { FsError } from '../errors.ts';
import type { TenantId } from '../ids.ts';

export interface TurnLimits {
  /** Whose turns they are: `downloads`. */
  readonly what: string;
  /** Turns at once, in this process and of one tenant. */
  readonly atOnce: number;
  readonly perTenant: number;
  /** How many may wait for a turn, in this process and of one tenant; by default nobody. */
  readonly waiting?: { readonly atOnce: number; readonly perTenant: number };
  readonly retryAfterSeconds: number;
}

interface Waiter {
  readonly tenant: TenantId;
  readonly go: () => void;
}

/**
 * Bounds work that holds memory, threads or connections. Nobody waits behind a tenant that has all the turns it may have; else
 * it is first come, first served.
 */
export class Turns {
  readonly #limits: TurnLimits;
  readonly #running = new Map<TenantId, number>();
  #all = 0;
  readonly #line: Waiter[] = [];

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /** Does the work when its turn has come. @throws as `take`, and what the work throws */
  async during<T>(tenant: TenantId, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const end = await this.take(tenant, signal);
    try {
      return await work();
    } finally {
      end();
    }
  }

  /**
   * Resolves when the turn has come, with what ends it; calling that again does nothing.
   * @throws rate_limited for a tenant of which too many wait, unavailable where too many wait at all; the signal's reason
   */
  async take(tenant: TenantId, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#isFree(tenant)) this.#count(tenant, 1);
    else await this.#wait(tenant, signal);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#count(tenant, -1);
      this.#callNext();
    };
  }

  #isFree(tenant: TenantId): boolean {
    return this.#all < this.#limits.atOnce && this.#of(tenant) < this.#limits.perTenant;
  }

  #of(tenant: TenantId): number {
    return this.#running.get(tenant) ?? 0;
  }

  async #wait(tenant: TenantId, signal: AbortSignal): Promise<void> {
    this.#demandPlace(tenant);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { tenant, go: resolve };
    const giveUp = () => {
      const at = this.#line.indexOf(waiter);
      // Its turn came in the same moment: whoever has it finds the signal aborted.
      if (at < 0) return;
      this.#line.splice(at, 1);
      reject(signal.reason);
    };
    this.#line.push(waiter);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  #demandPlace(tenant: TenantId): void {
    const { what, atOnce, perTenant, waiting = { atOnce: 0, perTenant: 0 }, retryAfterSeconds } = this.#limits;
    const later = { retryAfterSeconds };
    const own = this.#line.filter((waiter) => waiter.tenant === tenant).length;
    if (own >= waiting.perTenant && this.#of(tenant) + own >= perTenant) {
      const sentence = `${this.#of(tenant) + own} ${what} of this tenant are under way; wait until one ends`;
      throw new FsError('rate_limited', sentence, later);
    }
    if (this.#line.length >= waiting.atOnce && this.#all + this.#line.length >= atOnce) {
      throw new FsError('unavailable', `the daemon has as many ${what} under way as it takes; try again soon`, later);
    }
  }

  #callNext(): void {
    const next = this.#line.findIndex(({ tenant }) => this.#isFree(tenant));
    const [waiter] = next < 0 ? [] : this.#line.splice(next, 1);
    if (waiter === undefined) return;
    // Counted here: between this and its going on, others ask.
    this.#count(waiter.tenant, 1);
    waiter.go();
  }

  #count(tenant: TenantId, change: 1 | -1): void {
    this.#all += change;
    const own = this.#of(tenant) + change;
    if (own === 0) this.#running.delete(tenant);
    else this.#running.set(tenant, own);
  }
}
