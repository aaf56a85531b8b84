import { residentBytes } from './process.ts';

/** The largest resident memory in bytes that a process was seen to have while `work` went on. */
export async function peakDuring(pid: number, work: Promise<unknown>): Promise<number> {
  let peak = 0;
  let isGoing = true;
  const watching = (async () => {
    while (isGoing) {
      peak = Math.max(peak, await residentBytes(pid));
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  })();
  await work.finally(() => {
    isGoing = false;
  });
  await watching;
  return peak;
}
