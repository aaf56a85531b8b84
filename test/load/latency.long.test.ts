import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { head, perSecond } from '../../bench/load.ts';
import { type DaemonProcess, startProcess, token } from '../support/process.ts';

const CONNECTIONS = 32;
const BODY = 'x'.repeat(1024);
const SECONDS = Number(process.env.LATENCY_SECONDS ?? 4);

describe('many durable writers', () => {
  let dataDir: string;
  let daemon: DaemonProcess;
  const authorization = `Bearer ${token({ tenant: 'acme' })}`;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'workspaced-latency-'));
    daemon = await startProcess(dataDir);
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it(`the event loop's delay p99 stays under 20 ms while ${CONNECTIONS} connections write durably`, async () => {
    await loopDelayP99(); // the scrape resets what it measures: what follows is counted afresh
    const { hostname: host, port } = new URL(daemon.url);
    const headers = { authorization, 'content-type': 'application/octet-stream', 'content-length': '1024' };
    const request = (n: number) =>
      Buffer.from(head('PUT', `/agent/a1/filesystem/files/w${n % 32}/f${n % 1600}?upsert=true`, headers) + BODY);
    const perS = await perSecond({ host, port: Number(port), connections: CONNECTIONS, seconds: SECONDS, request });
    const p99 = await loopDelayP99();
    process.stdout.write(`${Math.round(perS)} durable writes/s, event loop delay p99 ${(p99 * 1000).toFixed(1)} ms\n`);
    expect(p99).toBeLessThan(0.02);
  });

  async function loopDelayP99(): Promise<number> {
    const text = await (await fetch(`${daemon.url}/metrics`)).text();
    return Number(/^nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(text)?.[1] ?? Number.NaN);
  }
});
