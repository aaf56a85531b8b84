/**
 * How many bytes this process has received or copied that are in no tree yet. Kept in memory: what other processes stage,
 * and what dead ones left, is not in it.
 */
export class StagedBytes {
  readonly #byName = new Map<string, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** @param name of an item in staging, unique in this process */
  add(name: string, bytes: number): void {
    this.#byName.set(name, (this.#byName.get(name) ?? 0) + bytes);
    this.#total += bytes;
  }

  /** The item was placed or removed. Nothing where it is not known (any more). */
  forget(name: string): void {
    this.#total -= this.#byName.get(name) ?? 0;
    this.#byName.delete(name);
  }
}
