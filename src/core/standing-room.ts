import type { Count } from '../tree/entry.ts';
import { partialOwner } from '../tree/partial.ts';
import { type Account, NOTHING, subtract } from './account.ts';
import type { Also, Quota } from './quota.ts';
import { atLeastNothing, type Reservation } from './room.ts';

/** The name by which the upload or slot of this id holds its reservation; also the owner of its partial file. */
export function holderOf(id: string): string {
  return partialOwner(id);
}

/**
 * A reservation that outlives processes: its holder's row in the ledger is all there is of it, so that any process goes on with
 * it, and no burial of a process gives it back. That only one caller at a time does so is the caller's to see to; whoever ends
 * the holder releases it.
 */
export class StandingRoom implements Reservation {
  readonly account: Account;
  readonly #quota: Quota;
  readonly #holder: string;

  /** @param holder by `holderOf` */
  constructor(quota: Quota, account: Account, holder: string) {
    this.#quota = quota;
    this.account = account;
    this.#holder = holder;
  }

  /**
   * As Reservation.cover: exactly what is missing is reserved. Also marks that this process is about to write, so that its
   * crash is followed by a recount. To be called inside `Quota.afterRecount`.
   */
  async cover(total: Count): Promise<void> {
    const held = await this.#quota.held(this.account, this.#holder);
    await this.#quota.reserve(this.account, NOTHING, NOTHING);
    const missing = atLeastNothing(subtract(total, held));
    if (missing.bytes > 0 || missing.files > 0) {
      await this.#quota.reserve(this.account, missing, held, this.#holder);
    }
  }

  /** As Reservation.settle. Where it fails nothing changed, and any process may do it again. */
  async settle(actual: Count, also?: Also): Promise<void> {
    await this.#quota.settleHeld(this.account, this.#holder, actual, also);
  }

  /** Gives all of it back; again: nothing. `also` joins the transaction. */
  release(also?: Also): Promise<void> {
    return this.settle(NOTHING, also);
  }
}
