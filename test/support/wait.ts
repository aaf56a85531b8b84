/** Waits until the condition holds, asking again every few milliseconds; fails with `what` after the bound. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  what = 'the condition',
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come true within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}
