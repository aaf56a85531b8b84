import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { until } from '../support/wait.ts';
import { withDataDir } from './run.ts';

const source = (path: string) => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
const run = promisify(execFile);

/** A program of ours as its own process, with these settings and no others. */
class Program {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;

  constructor(entry: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, entry, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.#ended = once(this.#child, 'close');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get url(): string {
    return /^workspaced listening on (http:\/\/\S+)$/m.exec(this.stdout)?.[1] ?? '';
  }

  async listening(): Promise<this> {
    await until(() => this.url !== '' || this.#child.exitCode !== null, 'the listening line', 20_000);
    if (this.url === '') throw new Error(`it ended with ${this.#child.exitCode}:\n${this.stderr}`);
    return this;
  }

  async code(): Promise<unknown> {
    return (await this.#ended)[0];
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<unknown> {
    this.#child.kill(signal);
    return this.code();
  }
}

/** How many threads libuv made for file work. */
async function poolThreads(pid: number): Promise<number> {
  const tasks = await readdir(`/proc/${pid}/task`);
  const names = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/comm`, 'utf8')));
  return names.filter((name) => name.trim() === 'libuv-worker').length;
}

const settings = (dataDir: string) => ({ DATA_DIR: dataDir, PORT: '0', DISK_RESERVE_BYTES: '0', LOG_LEVEL: 'warn' });

describe('npm start', () => {
  it('says where it listens, its curl works as pasted, and file work has 16 threads', () =>
    withDataDir(async (dataDir) => {
      const daemon = await new Program([source('main.ts')], settings(dataDir)).listening();
      await until(() => daemon.stdout.includes('curl'), 'the ready curl');
      expect(daemon.stdout.startsWith('workspaced listening on http://127.0.0.1:')).toBe(true);
      const line = daemon.stdout.split('\n').find((text) => text.trim().startsWith('curl')) ?? '';
      const { stdout } = await run('sh', ['-c', `${line} --silent --show-error --fail`]);
      expect(JSON.parse(stdout)).toEqual({ files: [] });
      expect(await poolThreads(daemon.pid)).toBe(16);
      expect(await daemon.stop()).toBe(0);
    }));

  it('prints no token in production, and has as many threads as it is told', () =>
    withDataDir(async (dataDir) => {
      const env = { ...settings(dataDir), NODE_ENV: 'production', UV_THREADPOOL_SIZE: '5' };
      const daemon = await new Program([source('main.ts')], env).listening();
      expect(await poolThreads(daemon.pid)).toBe(5);
      expect(await daemon.stop()).toBe(0);
      expect(daemon.stdout).toBe(`workspaced listening on ${daemon.url}\n`);
    }));

  it('ends with 2 for a bad setting and 1 for a port that is taken, with one sentence each', () =>
    withDataDir(async (dataDir) => {
      const bad = new Program([source('main.ts')], { ...settings(dataDir), WORKERS: 'many' });
      expect(await bad.code()).toBe(2);
      expect(bad.stderr).toBe('workspaced: WORKERS is "many"; it must be a whole number from 1 to 64\n');
      const taken = createServer().listen(0, '127.0.0.1');
      await once(taken, 'listening');
      const address = taken.address();
      const port = typeof address === 'object' ? String(address?.port) : '';
      const second = new Program([source('main.ts')], { ...settings(dataDir), PORT: port, WORKERS: '2' });
      expect(await second.code()).toBe(1);
      expect(second.stderr).toBe(
        `workspaced: cannot listen (HOST 127.0.0.1, PORT ${port}): another program listens there\n`,
      );
      taken.close();
    }));
});

describe('workspaced serve', () => {
  it('is the same daemon, ends with 0 on SIGINT, and warns of settings that deserve it', () =>
    withDataDir(async (dataDir) => {
      const env = { ...settings(dataDir), DURABILITY: 'none' };
      const daemon = await new Program([source('cli/main.ts'), 'serve'], env).listening();
      expect((await fetch(`${daemon.url}/healthz`)).status).toBe(200);
      expect(await daemon.stop('SIGINT')).toBe(0);
      expect(JSON.parse(daemon.stderr)).toMatchObject({ level: 'warn', msg: expect.stringContaining('DURABILITY') });
    }));

  it('with several workers announces itself once, answers, and ends with 0', () =>
    withDataDir(async (dataDir) => {
      const env = { ...settings(dataDir), WORKERS: '2', NODE_ENV: 'production' };
      const daemon = await new Program([source('cli/main.ts'), 'serve'], env).listening();
      for (let n = 0; n < 4; n += 1) expect((await fetch(`${daemon.url}/healthz`)).status).toBe(200);
      expect(await daemon.stop()).toBe(0);
      expect(daemon.stdout).toBe(`workspaced listening on ${daemon.url}\n`);
    }));
});

describe('an old Node', () => {
  it.each([
    ['20.20.2', 1],
    ['22.22.1', 1],
    ['18.0.0', 1],
    ['22.22.2', 0],
    ['22.23.0', 0],
    ['24.0.0', 0],
  ])('%s: ends with %i', async (version, code) => {
    const file = source('cli/local/node-version.ts');
    const program = new Program(['-e', `import('${file}').then((guard) => guard.demandNode('${version}'))`], {});
    expect(await program.code()).toBe(code);
    expect(program.stderr).toBe(
      code === 0 ? '' : `workspaced needs Node 22.22.2 or newer, and this is ${version}: install Node 24.\n`,
    );
  });

  it.each(['main.ts', 'cli/main.ts'])('is met before %s imports anything else', async (entry) => {
    const text = await readFile(source(entry), 'utf8');
    const imports = text.match(/^import .*$/gm) ?? [];
    expect(imports).toHaveLength(1);
    expect(imports[0]).toMatch(/node-version\.ts';$/);
    expect(await readFile(source('cli/local/node-version.ts'), 'utf8')).not.toMatch(/^import /m);
  });
});
