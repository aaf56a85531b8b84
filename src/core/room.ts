import { FsError } from '../errors.ts';
import type { Count } from '../tree/entry.ts';
import { type Account, add, NOTHING, subtract } from './account.ts';
import type { Also, Quota } from './quota.ts';

const STEP_MIN_BYTES = 64 * 1024;
const STEP_MAX_BYTES = 16 * 1024 * 1024;
const STEP_MAX_FILES = 256;

/** How a reservation grows: by exactly what is missing, or ahead of an arriving body in doubling steps. */
export type Growth = 'exact' | 'ahead';

/** Room for something that is about to be placed, whoever holds it: one write (`Room`), or what outlives processes (`StandingRoom`). */
export interface Reservation {
  readonly account: Account;
  /** Sees to it that at least `total` is reserved. @throws quota_exceeded, unavailable, RecountOwed */
  cover(total: Count, growth: Growth): Promise<void>;
  /** Ends the reservation: gives all of it back and books what was really taken, which may be negative. `also` joins the transaction. */
  settle(actual: Count, also?: Also): Promise<void>;
}

/**
 * The reservation of one write on one account. It only ever grows, until `settle` or `release` ends it.
 * Calls take turns, so several bodies may arrive under one reservation.
 */
export class Room implements Reservation {
  readonly account: Account;
  readonly #quota: Quota;
  #reserved: Count = NOTHING;
  /** Even a write that needs no room is written in the ledger first: its crash must be followed by a recount. */
  #marked = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(quota: Quota, account: Account) {
    this.#quota = quota;
    this.account = account;
  }

  /** Sees to it that at least `total` is reserved. @throws quota_exceeded, unavailable, RecountOwed */
  cover(total: Count, growth: Growth): Promise<void> {
    const mine = this.#turn.then(() => this.#cover(total, growth));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** Reserves `more` beyond what is reserved. @throws as cover */
  grow(more: Count): Promise<void> {
    const mine = this.#turn.then(() => this.#take(more));
    this.#turn = mine.catch(() => {});
    return mine;
  }

  /** Ends the reservation: gives all of it back and books what was really taken, which may be negative. `also` joins the transaction. */
  async settle(actual: Count, also?: Also): Promise<void> {
    await this.#turn;
    if (!this.#marked) return;
    const reserved = this.#reserved;
    this.#reserved = NOTHING;
    this.#marked = false;
    await this.#quota.settle(this.account, reserved, actual, also);
  }

  /** Ends the reservation of a write that came to nothing. Never throws, so that it can follow another error. */
  async release(): Promise<void> {
    // The ledger remembers what it could not settle and tries again; see Quota.mend.
    await this.settle(NOTHING).catch(() => {});
  }

  async #cover(total: Count, growth: Growth): Promise<void> {
    const missing = atLeastNothing(subtract(total, this.#reserved));
    if (this.#marked && missing.bytes === 0 && missing.files === 0) return;
    const step = growth === 'ahead' ? ahead(missing, this.#reserved) : missing;
    try {
      await this.#take(step);
    } catch (error) {
      const couldBeLess = step.bytes > missing.bytes || step.files > missing.files;
      if (!couldBeLess || !(error instanceof FsError) || error.code !== 'quota_exceeded') throw error;
      await this.#take(missing);
    }
  }

  async #take(more: Count): Promise<void> {
    await this.#quota.reserve(this.account, more, this.#reserved);
    this.#marked = true;
    this.#reserved = add(this.#reserved, more);
  }
}

function ahead(missing: Count, reserved: Count): Count {
  const bytes = missing.bytes === 0 ? 0 : Math.min(STEP_MAX_BYTES, Math.max(STEP_MIN_BYTES, reserved.bytes));
  const files = missing.files === 0 ? 0 : Math.min(STEP_MAX_FILES, reserved.files);
  return { bytes: Math.max(missing.bytes, bytes), files: Math.max(missing.files, files) };
}

/** What is missing, where something is. */
export function atLeastNothing(count: Count): Count {
  return { bytes: Math.max(0, count.bytes), files: Math.max(0, count.files) };
}
