import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { httpPage, withSettings } from '../scripts/docs.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MAIN_JOB = /<!-- test: main job -->\n```sh\n([\s\S]*?)```/;

const read = (path: string) => readFile(join(ROOT, path), 'utf8');

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** A directory that is to npm what a clone is, with data of its own. */
async function cloneOf(root: string): Promise<string> {
  const clone = await mkdtemp(join(tmpdir(), 'workspaced-readme-'));
  for (const name of ['package.json', 'src', 'scripts', 'node_modules'])
    await symlink(join(root, name), join(clone, name));
  return clone;
}

function run(
  command: string,
  cwd: string,
  env: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const shell = spawn('bash', ['-euo', 'pipefail', '-c', command], { cwd, env: { ...process.env, ...env } });
  let output = '';
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => shell.once('exit', (code) => resolve({ code, output })));
}

describe('the README', () => {
  it('names every setting as the program reads it', async () => {
    const readme = await read('README.md');
    expect(withSettings(readme)).toBe(readme);
  });

  it('is joined by a page of every call that matches the routes', async () => {
    expect(await read('docs/http.md')).toBe(httpPage());
  });

  it('does the main job as written, with `npm start` in the same directory', async () => {
    const clone = await cloneOf(ROOT);
    const port = String(await freePort());
    const env = { PORT: port, LOG_LEVEL: 'warn' };
    const daemon = spawn('npm', ['start'], { cwd: clone, env: { ...process.env, ...env }, detached: true });
    try {
      const lines = createInterface(daemon.stdout);
      for await (const line of lines) if (line.includes('listening on')) break;
      const [, job = ''] = MAIN_JOB.exec(await read('README.md')) ?? [];
      expect(job.trim().split('\n')).toHaveLength(10);
      const { code, output } = await run(job.replaceAll('8080', port), clone, env);
      expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('"uploaded"') });
      expect(output).toContain('north,40');
      expect(output.trimEnd()).toMatch(/(42|# All is well)$/);
    } finally {
      // The whole group: npm, its shell and the daemon.
      if (daemon.pid !== undefined) process.kill(-daemon.pid, 'SIGTERM');
      await new Promise((resolve) => daemon.once('exit', resolve));
      await rm(clone, { recursive: true, force: true });
    }
  });
});
