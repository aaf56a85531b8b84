import type { Day } from './metering-types.ts';

/** How many names of users and agents make rows of their own in one day. */
export interface NameLimits {
  /** Of one tenant. */
  readonly ofTenant: number;
  /** Of all tenants together. */
  readonly ofAll: number;
  /** Of each tenant in any case, so that others who name many take nothing from it. */
  readonly assured: number;
}

/**
 * Bounds how many names each tenant can make rows of in a day. It remembers a number of each name, not the name: two that share
 * one are admitted as one, and a bound that is a little wider is a bound still.
 */
export class Names {
  readonly #limits: NameLimits;
  #day: Day | null = null;
  #known = new Map<string, Set<number>>();
  #count = 0;

  constructor(limits: NameLimits) {
    this.#limits = limits;
  }

  /** Whether the name has been admitted today, or is one of the first. */
  admits(tenant: string, day: Day, name: string): boolean {
    if (day !== this.#day) this.#begin(day);
    const known = this.#known.get(tenant) ?? new Set();
    const number = numberOf(name);
    if (known.has(number)) return true;
    const { ofTenant, ofAll, assured } = this.#limits;
    if (known.size >= (this.#count < ofAll ? ofTenant : assured)) return false;
    known.add(number);
    this.#known.set(tenant, known);
    this.#count += 1;
    return true;
  }

  #begin(day: Day): void {
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
