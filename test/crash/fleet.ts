import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childrenOf, type DaemonProcess, filesBelow, startProcess, token } from '../support/process.ts';
import { until } from '../support/wait.ts';

const TENANT = 'acme';
const WANTED_ROUNDS = process.env.CRASH_ROUNDS;
export const ROUNDS = Number(WANTED_ROUNDS ?? 1);

/** Who is killed: the whole daemon, which is started again, or one of its two workers, while the other goes on. */
export type Victim = 'daemon' | 'worker';

/** Both, once rounds are asked for (npm run test:crash); in the ordinary tests each kind of work has one of them. */
export function victims(ordinary: Victim): readonly Victim[] {
  return WANTED_ROUNDS === undefined ? [ordinary] : ['daemon', 'worker'];
}

const PROBES = 16;

/** One data root whose daemon is killed and started again, and what a client of it needs. */
export class Fleet {
  readonly dataDir: string;
  #daemon: DaemonProcess;
  #ended = false;
  readonly #victim: Victim;
  #strikes = 0;
  readonly #struck = new Set<number>();
  readonly #bearer = `Bearer ${token({ tenant: TENANT })}`;
  readonly #admin = `Bearer ${token({ tenant: TENANT, scope: 'admin' })}`;

  readonly #settings: Record<string, string>;

  private constructor(dataDir: string, daemon: DaemonProcess, victim: Victim, settings: Record<string, string>) {
    this.#settings = settings;
    this.dataDir = dataDir;
    this.#daemon = daemon;
    this.#victim = victim;
  }

  /** @param more settings beside those of every fleet */
  static async start(victim: Victim, more: Record<string, string> = {}): Promise<Fleet> {
    const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-crash-'));
    const settings = { ...ENV[victim], ...more };
    const fleet = new Fleet(dataDir, await startProcess(dataDir, settings), victim, settings);
    await fleet.whole();
    return fleet;
  }

  get pid(): number {
    return this.#daemon.pid;
  }

  get url(): string {
    return this.#daemon.url;
  }

  output(): string {
    return this.#daemon.output();
  }

  /** SIGKILL to the victim; resolves when all is up again. */
  async strike(): Promise<void> {
    await this.kill();
    if (this.#victim === 'daemon') this.#daemon = await startProcess(this.dataDir, this.#settings);
    await this.whole();
  }

  /** SIGKILL to the victim, now. */
  async kill(): Promise<void> {
    if (this.#victim === 'daemon') return this.#daemon.kill();
    const workers = await childrenOf(this.pid);
    const struck = workers[this.#strikes++ % workers.length] ?? 0;
    this.#struck.add(struck);
    process.kill(struck, 'SIGKILL');
  }

  /** Resolves when every process that should serve has answered something. */
  async whole(): Promise<void> {
    if (this.#victim === 'worker') await until(() => this.#bothServe(), 'two workers serve', 40_000);
  }

  async #bothServe(): Promise<boolean> {
    const probe = () => this.request('/healthz', { headers: { connection: 'close' } }).catch(() => null);
    await Promise.all(Array.from({ length: PROBES }, probe));
    const workers = await childrenOf(this.pid);
    const serves = (pid: number) => !this.#struck.has(pid) && this.output().includes(`"pid":${pid},"requestId"`);
    return workers.length === 2 && workers.every(serves);
  }

  /** Ends the daemon in good order; its exit code. */
  async end(): Promise<number | null> {
    this.#ended = true;
    return this.#daemon.stop();
  }

  /** However the test went, nothing of it stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) await this.#daemon.kill();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  request(path: string, init: RequestInit & { duplex?: 'half' } = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { ...init, headers: { authorization: this.#bearer, ...init.headers } });
  }

  async json<T>(path: string, method = 'GET', body?: unknown): Promise<T> {
    const sent =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const response = await this.request(path, { method, ...sent });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** Where a workspace or the store lies on disk. */
  tree(...home: string[]): string {
    return join(this.dataDir, 'tenants', TENANT, ...home, 'tree');
  }

  async filesIn(...home: string[]): Promise<Map<string, Buffer>> {
    const root = this.tree(...home);
    const found = new Map<string, Buffer>();
    for (const path of await filesThere(root)) found.set(path, await readFile(join(root, path)));
    return found;
  }

  /** Nothing is left in any staging, and the ledger says what the disk says. */
  async expectClean(): Promise<void> {
    await until(async () => (await this.#staged()).length === 0, 'every staging is swept', 15_000).catch(
      async (error) => {
        throw new Error(`${error}; left: ${(await this.#staged()).slice(0, 5).join(', ')}`);
      },
    );
    expect((await this.rescan(true)).drift).toEqual({ bytes: 0, files: 0 });
  }

  /** A request of somebody who may administer. */
  administer(path: string, init: RequestInit): Promise<Response> {
    return this.request(path, { ...init, headers: { ...init.headers, authorization: this.#admin } });
  }

  /** Compares the ledger with the disk, and mends it unless `dryRun`. */
  async rescan(dryRun: boolean): Promise<{ drift: { bytes: number; files: number }; repaired: boolean }> {
    const response = await this.administer(`/admin/tenants/${TENANT}/rescan?dry_run=${dryRun}`, { method: 'POST' });
    return (await response.json()) as { drift: { bytes: number; files: number }; repaired: boolean };
  }

  async #staged(): Promise<string[]> {
    const paths = await filesThere(join(this.dataDir, 'tenants'));
    return paths.filter((path) => /^[^/]+\/(store|objects|agents\/[^/]+)\/staging\//.test(path));
  }
}

/** None where nothing was ever put. */
async function filesThere(directory: string): Promise<string[]> {
  return existsSync(directory) ? filesBelow(directory) : [];
}

const ENV: Readonly<Record<Victim, Record<string, string>>> = {
  daemon: {},
  // Who answered is read from the log.
  worker: { WORKERS: '2', LOG_LEVEL: 'info' },
};

/** A moment that differs from round to round but not from run to run of the test. */
export function momentOf(round: number, withinMs: number): number {
  return 20 + ((round * 7919) % withinMs);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
