const NEEDED = [22, 22, 2] as const;

/**
 * Ends the process with a sentence on a Node that is too old: the database library would crash there without a word, so
 * this runs before anything imports it. Imports nothing, so that it runs on old versions too.
 */
export function demandNode(version: string): void {
  if (isRecent(version)) return;
  process.stderr.write(
    `workspaced needs Node ${NEEDED.join('.')} or newer, and this is ${version}: install Node 24.\n`,
  );
  process.exit(1);
}

function isRecent(version: string): boolean {
  const parts = version.split('.').map(Number);
  const index = NEEDED.findIndex((needed, i) => parts[i] !== needed);
  return index === -1 || (parts[index] ?? 0) > (NEEDED[index] ?? 0);
}
