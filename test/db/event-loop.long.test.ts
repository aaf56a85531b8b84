import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { type OpenedDatabase, openDatabase } from '../../src/db/drivers.ts';
import type { Database } from '../../src/db/schema.ts';
import * as usage from '../../src/db/usage.ts';

const WRITERS = 32;
const DURATION_MS = 2_000;
const IDLE_MS = 300;
const MAX_P99_MS = 20;

describe('SQLite in threads', () => {
  let directory: string;
  let opened: OpenedDatabase;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'workspaced-loop-'));
    opened = await openDatabase(`sqlite:${path.join(directory, 'test.db')}`);
  });
  afterEach(async () => {
    await opened.close();
    await rm(directory, { recursive: true });
  });

  it(`keeps the event loop free while ${WRITERS} writers commit durably for ${DURATION_MS / 1000} s`, async () => {
    const { db } = opened;
    for (const part of ['', 'store']) {
      await usage.ensureAccount(db, { tenant: 't', part }, { limitBytes: 0, limitFiles: 0 });
    }
    // A busy machine delays an idle loop too: that is not the database's doing.
    const idleMs = await p99Delay(() => setTimeout(IDLE_MS));
    let transactions = 0;
    const busyMs = await p99Delay(async () => {
      const endAt = performance.now() + DURATION_MS;
      const done = await Promise.all(Array.from({ length: WRITERS }, (_, n) => write(db, `writer ${n}`, endAt)));
      transactions = done.reduce((sum, one) => sum + one, 0);
    });
    const total = await usage.readAccount(db, { tenant: 't', part: '' });
    expect(total).toMatchObject({ bytes: transactions * 5, reservedBytes: 0 });
    expect(busyMs - idleMs).toBeLessThan(MAX_P99_MS);
  });
});

async function p99Delay(during: () => Promise<void>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await during();
  delay.disable();
  return delay.percentile(99) / 1e6;
}

/** Reserves and settles until then. Returns the number of transactions. */
async function write(db: Database, instance: string, endAt: number): Promise<number> {
  const account = { instance, tenant: 't', part: 'store' };
  let transactions = 0;
  for (; performance.now() < endAt; transactions += 2) {
    await usage.reserve(db, { ...account, bytes: 10, files: 1 });
    await usage.settle(db, { ...account, reserved: { bytes: 10, files: 1 }, actual: { bytes: 10, files: 1 } });
  }
  return transactions;
}
