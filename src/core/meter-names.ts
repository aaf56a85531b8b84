import type { Day } from './metering-types.ts';

/**
 * Bounds how many names of users and agents one tenant can make rows of in a day. It remembers a number of each name, not the
 * name: two that share one are admitted as one, and a bound that is a little wider is a bound still.
 */
export class Names {
  readonly #ofTenant: number;
  readonly #inAll: number;
  #day: Day | null = null;
  #known = new Map<string, Set<number>>();
  #count = 0;

  constructor(ofTenant: number, inAll: number) {
    this.#ofTenant = ofTenant;
    this.#inAll = inAll;
  }

  /** Whether the name has been admitted today, or is one of the first. */
  admits(tenant: string, day: Day, name: string): boolean {
    // Full: to forget all of them lets a tenant name as many again, at the price of remembering them once more.
    if (day !== this.#day || this.#count >= this.#inAll) this.#forget(day);
    const known = this.#known.get(tenant) ?? new Set();
    const number = numberOf(name);
    if (known.has(number)) return true;
    if (known.size >= this.#ofTenant) return false;
    known.add(number);
    this.#known.set(tenant, known);
    this.#count += 1;
    return true;
  }

  #forget(day: Day): void {
    this.#day = day;
    this.#known = new Map();
    this.#count = 0;
  }
}

/** FNV-1a, cut to what a set keeps without an allocation for each. */
function numberOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 2;
}
