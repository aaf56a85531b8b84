import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { actor } from '../support/actor.ts';
import { inNamespace, itNeeds, lackOf } from '../support/machine.ts';
import { startProcess, token } from '../support/process.ts';

/** Runs a command in a mount namespace in which the kernel follows no link in the directory, as docs/containers.md has it. */
function behindWall(directory: string): readonly string[] {
  const mounts = 'mount --bind "$1" "$1" && mount -o remount,bind,nosymfollow,nodev,nosuid,noexec "$1"';
  return [...inNamespace(`${mounts} && shift && exec "$@"`), directory];
}

function lackOfWalls(): string | null {
  const probe = mkdtempSync(join(tmpdir(), 'workspaced-probe-'));
  try {
    const [command = '', ...args] = behindWall(probe);
    return lackOf(command, ...args, 'true');
  } finally {
    rmSync(probe, { recursive: true });
  }
}

describe('a mount that follows no links, around the daemon', () => {
  const lack = lackOfWalls();

  itNeeds(lack, 'stops what the guard in the program would have to stop, and the daemon works behind it', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'workspaced-wall-'));
    const data = join(directory, 'data');
    mkdirSync(data);
    writeFileSync(join(directory, 'secret'), 'SECRET');
    const daemon = await startProcess(data, { DURABILITY: 'none' }, behindWall(data));
    try {
      const ann = actor(daemon.url, token({ tenant: 'acme' }));
      await ann.writes('a1', 'dir/file', 'content');
      expect(await ann.reads('a1', 'dir/file')).toBe('content');
      // The agent, outside of the namespace, goes on making and following links.
      const link = join(data, 'tenants/acme/agents/a1/tree/link');
      symlinkSync('../../../../../../secret', link);
      expect(execFileSync('cat', [link], { encoding: 'utf8' })).toBe('SECRET');
      const [command = '', ...args] = behindWall(data);
      expect(() => execFileSync(command, [...args, 'cat', link], { stdio: 'pipe' })).toThrow(/Too many levels/);
      const { body } = await ann.does('GET /agent/a1/filesystem/directories');
      expect(body).toMatchObject({ entries: [{ name: 'dir' }, { name: 'link', type: 'symlink' }] });
      expect((await ann.does('GET /agent/a1/filesystem/files/link')).body).toMatchObject({ code: 'symlink' });
      expect((await ann.does('DELETE /agent/a1/filesystem/files/link')).status).toBe(200);
    } finally {
      await daemon.kill();
      rmSync(directory, { recursive: true });
    }
  });
});
