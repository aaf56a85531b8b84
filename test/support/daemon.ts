import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/clock.ts';
import { readConfig } from '../../src/config.ts';
import { startDaemon } from '../../src/daemon.ts';
import type { Web } from '../../src/web/web.ts';
import { type Claims, TEST_SECRET, token } from './process.ts';

/** The daemon inside the test's process, with a data root of its own. */
export interface TestDaemon {
  readonly url: string;
  readonly dataDir: string;
  token(claims: Claims): string;
  close(): Promise<void>;
}

export interface TestDaemonOptions {
  /** Settings over those of every test daemon. */
  readonly env?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** Where fetches go instead of the internet, with FETCH_ENABLED. */
  readonly web?: Web;
}

/** Starts the whole daemon on a free port, on a real disk with a real database. Close it. */
export async function startTestDaemon({ env = {}, ...options }: TestDaemonOptions = {}): Promise<TestDaemon> {
  const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-test-'));
  const config = readConfig({
    DATA_DIR: dataDir,
    PORT: '0',
    JWT_SECRET: TEST_SECRET,
    LOG_LEVEL: 'error',
    DISK_RESERVE_BYTES: '0',
    DURABILITY: 'none',
    NODE_ENV: 'production',
    ...env,
  });
  const daemon = await startDaemon(config, options);
  return {
    url: daemon.url,
    dataDir,
    token,
    close: async () => {
      await daemon.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
