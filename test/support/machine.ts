import { spawnSync } from 'node:child_process';

/**
 * Tests that need more of the machine than Node, such as the right to mount. None is skipped in silence: where something is
 * lacking, the title says that the test was not tried and why, and with DEMAND_ALL_TESTS=1 it fails.
 */
export function itNeeds(lack: string | null, title: string, run: () => Promise<void>, timeoutMs = 60_000): void {
  if (lack === null) it(title, run, timeoutMs);
  else it(`${title} [NOT TRIED HERE: ${lack}]`, () => expect(process.env.DEMAND_ALL_TESTS ?? '0').toBe('0'));
}

/** What the command says against it where it fails, as one line; null where it succeeds. */
export function lackOf(command: string, ...args: readonly string[]): string | null {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
  if (status === 0) return null;
  const reason = error?.message ?? stderr.trim().split('\n')[0] ?? '';
  return `${command}: ${reason.replace(/^\w+: /, '') || `ended with ${status}`}`;
}

/** What keeps this process from mounting a disk of its own; null: nothing. */
export function lackOfDisks(): string | null {
  const tried = 'd=$(mktemp -d) && { mount -t tmpfs -o size=1m tmpfs "$d" && umount "$d"; s=$?; rmdir "$d"; exit $s; }';
  return lackOf('sh', '-c', tried);
}

/** Runs a script of `sh` with mounts that nobody else sees; its arguments follow. Needs root, or a user namespace around it. */
export function inNamespace(script: string): readonly string[] {
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
}
