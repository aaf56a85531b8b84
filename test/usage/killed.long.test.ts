import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DaemonProcess, startProcess, token } from '../support/process.ts';

const ROUNDS = 3;
/** How long before its death a daemon may have counted what is lost: the second that docs/usage.md names, and what a busy machine adds. */
const MAX_LOST_MS = 4000;
const headers = { authorization: `Bearer ${token({ tenant: 'acme' })}` };

interface Moved {
  readonly bytes_in: number;
}

async function moved(daemon: DaemonProcess): Promise<Moved> {
  return (await (await fetch(`${daemon.url}/v1/usage`, { headers })).json()) as Moved;
}

it('a daemon that is killed loses at most the last moment of its account, and never counts twice', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-killed-'));
  let daemon = await startProcess(dataDir);
  const answered: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const end = performance.now() + 6000;
    while (performance.now() < end) {
      const url = `${daemon.url}/agent/a1/filesystem/files/x?upsert=true`;
      await fetch(url, { method: 'PUT', headers: { ...headers, 'content-type': 'text/plain' }, body: 'x' });
      answered.push(performance.now());
    }
    const killedAt = performance.now();
    await daemon.kill();
    daemon = await startProcess(dataDir);
    const { bytes_in: counted } = await moved(daemon);
    const sure = answered.filter((at) => at < killedAt - MAX_LOST_MS).length;
    expect(counted).toBeLessThanOrEqual(answered.length);
    expect(counted).toBeGreaterThanOrEqual(sure);
    // What is lost is lost; the next round counts from here.
    answered.splice(counted);
  }
  expect(await daemon.stop()).toBe(0);
  const last = await startProcess(dataDir);
  expect((await moved(last)).bytes_in).toBe(answered.length);
  await last.stop();
  await rm(dataDir, { recursive: true });
});
