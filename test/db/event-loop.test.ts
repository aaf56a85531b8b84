import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { openDatabase } from '../../src/db/drivers.ts';
import * as usage from '../../src/db/usage.ts';

const WRITERS = 32;
const DURATION_MS = 2_000;
const MAX_P99_MS = 20;

describe('SQLite in threads', () => {
  it(`keeps the event loop free while ${WRITERS} writers commit durably for ${DURATION_MS / 1000} s`, async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'workspaced-loop-'));
    const { db, close } = await openDatabase(`sqlite:${path.join(directory, 'test.db')}`);
    for (const part of ['', 'store']) {
      await usage.ensureAccount(db, { tenant: 't', part }, { limitBytes: 0, limitFiles: 0 });
    }
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const endAt = performance.now() + DURATION_MS;
    const write = async (instance: string): Promise<number> => {
      let transactions = 0;
      for (; performance.now() < endAt; transactions += 2) {
        const account = { instance, tenant: 't', part: 'store' };
        await usage.reserve(db, { ...account, bytes: 10, files: 1 });
        await usage.settle(db, { ...account, reserved: { bytes: 10, files: 1 }, actual: { bytes: 10, files: 1 } });
      }
      return transactions;
    };
    const done = await Promise.all(Array.from({ length: WRITERS }, (_, n) => write(`writer ${n}`)));
    delay.disable();
    const transactions = done.reduce((sum, one) => sum + one, 0);
    expect(await usage.readAccount(db, { tenant: 't', part: '' })).toMatchObject({
      bytes: transactions * 5,
      reservedBytes: 0,
    });
    expect(delay.percentile(99) / 1e6).toBeLessThan(MAX_P99_MS);
    await close();
    await rm(directory, { recursive: true });
  });
});
