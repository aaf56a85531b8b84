import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DaemonProcess, filesBelow, startProcess, token } from '../support/process.ts';
import { until } from '../support/wait.ts';

const TENANT = 'acme';
export const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 4);

/** One data root whose daemon is killed and started again, and what a client of it needs. */
export class Fleet {
  readonly dataDir: string;
  #daemon: DaemonProcess;
  #ended = false;
  readonly #env: Record<string, string>;
  readonly #bearer = `Bearer ${token({ tenant: TENANT })}`;
  readonly #admin = `Bearer ${token({ tenant: TENANT, scope: 'admin' })}`;

  private constructor(dataDir: string, daemon: DaemonProcess, env: Record<string, string>) {
    this.dataDir = dataDir;
    this.#daemon = daemon;
    this.#env = env;
  }

  static async start(env: Record<string, string> = {}): Promise<Fleet> {
    const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-crash-'));
    return new Fleet(dataDir, await startProcess(dataDir, env), env);
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

  async killAndRestart(): Promise<void> {
    await this.#daemon.kill();
    this.#daemon = await startProcess(this.dataDir, this.#env);
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
    for (const path of await filesBelow(root)) found.set(path, await readFile(join(root, path)));
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

  /** Compares the ledger with the disk, and mends it unless `dryRun`. */
  async rescan(dryRun: boolean): Promise<{ drift: { bytes: number; files: number }; repaired: boolean }> {
    const response = await fetch(`${this.url}/admin/tenants/${TENANT}/rescan?dry_run=${dryRun}`, {
      method: 'POST',
      headers: { authorization: this.#admin },
    });
    return (await response.json()) as { drift: { bytes: number; files: number }; repaired: boolean };
  }

  async #staged(): Promise<string[]> {
    const paths = await filesBelow(join(this.dataDir, 'tenants'));
    return paths.filter((path) => /^[^/]+\/(store|objects|agents\/[^/]+)\/staging\//.test(path));
  }
}

/** A moment that differs from round to round but not from run to run of the test. */
export function momentOf(round: number, withinMs: number): number {
  return 20 + ((round * 7919) % withinMs);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
