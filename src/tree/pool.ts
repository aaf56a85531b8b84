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
