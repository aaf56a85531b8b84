/**
 * Calls `use` for every item, at most `limit` at a time. Ends only when every call has ended, also after a failure, because
 * calls under way may still name a descriptor that the caller closes next; then throws the first error.
 */
export async function forEachOf<T>(items: Iterable<T>, limit: number, use: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | null = null;
  async function work(): Promise<void> {
    while (failure === null) {
      const next = iterator.next();
      if (next.done === true) return;
      try {
        await use(next.value);
      } catch (error) {
        failure ??= { error };
      }
    }
  }
  await Promise.all(Array.from({ length: limit }, work));
  if (failure !== null) throw (failure as { readonly error: unknown }).error;
}

/** As `forEachOf`, keeping the results in the items' order. */
export async function mapOf<T, R>(items: readonly T[], limit: number, use: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  await forEachOf(items.entries(), limit, async ([index, item]) => {
    results[index] = await use(item);
  });
  return results;
}

/** Work that goes on while its giver prepares the next piece, at most `limit` pieces at a time. */
export class Background {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | null = null;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Begins a piece as soon as there is room for it. @throws what an earlier piece failed with */
  async begin(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    this.#demandWell();
    const piece = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(piece));
    this.#running.add(piece);
  }

  /** Waits until nothing is under way. @throws what a piece failed with */
  async end(): Promise<void> {
    await Promise.all(this.#running);
    this.#demandWell();
  }

  #demandWell(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}
