import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

describe('npm start', () => {
  it('serves, and on SIGTERM ends with 0 and leaves nothing behind', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-start-'));
    const npm = spawn('npm', ['start'], {
      cwd: ROOT,
      env: { ...process.env, DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'warn', NODE_ENV: 'production' },
      stdio: ['ignore', 'pipe', 'inherit'],
      // A process group of its own, so that all of it can be ended where the test fails.
      detached: true,
    });
    try {
      const url = await listening(npm.stdout);
      expect((await fetch(`${url}/healthz`)).status).toBe(200);
      npm.kill('SIGTERM');
      expect(await once(npm, 'exit')).toEqual([0, null]);
      // A shell between npm and the daemon would have taken the signal, and left the daemon running.
      await expect(fetch(`${url}/healthz`)).rejects.toThrow('fetch failed');
    } finally {
      killGroup(npm.pid ?? 0);
      await rm(dataDir, { recursive: true });
    }
  });
});

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // ESRCH: all of it has ended, as it should
  }
}

async function listening(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const url = /^workspaced listening on (http:\S+)$/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error('npm start ended before it listened');
}
