import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { childrenOf } from '../support/process.ts';
import { until } from '../support/wait.ts';

const FIXTURE = fileURLToPath(new URL('./crew.fixture.ts', import.meta.url));

/** Two workers under a primary, as one process group so that a test can signal all of them as Ctrl-C does. */
class Crew {
  printed = '';
  logged = '';
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;

  constructor(...args: readonly string[]) {
    this.#child = spawn(process.execPath, [FIXTURE, ...args], { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.printed += chunk.toString();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.logged += chunk.toString();
    });
    this.#exited = once(this.#child, 'exit');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  workers(): Promise<number[]> {
    return childrenOf(this.pid);
  }

  /** The pid of the worker that answered, or what it said; null while nobody listens. */
  ask(path = '/'): Promise<string | null> {
    const port = /port (\d+)/.exec(this.printed)?.[1];
    return fetch(`http://127.0.0.1:${port}${path}`).then(
      (response) => response.text(),
      () => null,
    );
  }

  async started(): Promise<this> {
    await until(async () => this.printed !== '' && (await this.workers()).length === 2, 'two workers');
    const answers = new Set<string | null>();
    await until(async () => answers.add(await this.ask()).size === 2, 'both answer');
    return this;
  }

  async code(): Promise<unknown> {
    return (await this.#exited)[0];
  }

  end(): void {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // ESRCH: the whole group has ended
    }
  }
}

describe('several workers', () => {
  let crew: Crew;
  afterEach(() => crew.end());

  it('share one port and are announced once', async () => {
    crew = await new Crew().started();
    expect(crew.printed).toMatch(/^port \d+\n$/);
  });

  it('are replaced when they are killed, while the other goes on', async () => {
    crew = await new Crew().started();
    const [victim = 0, survivor = 0] = await crew.workers();
    process.kill(victim, 'SIGKILL');
    await until(async () => crew.logged.includes('a worker ended'), 'the death is logged');
    expect(await crew.ask()).not.toBeNull();
    await until(async () => (await crew.workers()).filter((pid) => pid !== victim).length === 2, 'a replacement');
    expect(await crew.workers()).toContain(survivor);
  });

  it('end after an error nobody caught, which is logged, and are replaced', async () => {
    crew = await new Crew().started();
    const before = await crew.workers();
    await crew.ask('/throw');
    await until(() => crew.logged.includes('thrown on purpose'), 'the error is logged');
    const after = async () => (await crew.workers()).filter((pid) => before.includes(pid)).length;
    await until(async () => (await after()) === 1 && (await crew.workers()).length === 2, 'a replacement');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'finish what is in flight on %s to the primary, and it exits 0',
    async (signal) => {
      crew = await new Crew().started();
      const answer = crew.ask('/slow');
      await until(() => crew.logged.includes('slow has begun'), 'the request is in flight');
      process.kill(crew.pid, signal);
      expect(await answer).toBe('finished');
      expect(await crew.code()).toBe(0);
      expect(await crew.ask()).toBeNull();
    },
  );

  it('do the same when the whole group is signalled, as a terminal does', async () => {
    crew = await new Crew().started();
    const answer = crew.ask('/slow');
    await until(() => crew.logged.includes('slow has begun'), 'the request is in flight');
    process.kill(-crew.pid, 'SIGINT');
    expect(await answer).toBe('finished');
    expect(await crew.code()).toBe(0);
    expect(crew.logged).not.toContain('ending at once');
  });

  it('that cannot start end the primary with their code instead of dying for ever', async () => {
    crew = new Crew('broken');
    expect(await crew.code()).toBe(7);
    expect(crew.printed).toBe('');
  });
});
