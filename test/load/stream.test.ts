import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type DaemonProcess, residentBytes, startProcess, token } from '../support/process.ts';
import { peakDuring } from '../support/resident.ts';

const MIB = 1024 * 1024;
/** `npm run test:large` moves 2 GiB. */
const TOTAL = Number(process.env.LARGE_MIB ?? 256) * MIB;
const MEMORY_BOUND = 150 * MIB;

function* blocks(total: number): Iterable<Buffer> {
  const block = Buffer.alloc(MIB);
  for (let sent = 0; sent < total; sent += MIB) {
    block.writeUInt32LE(sent / MIB, 0);
    yield Buffer.from(block);
  }
}

describe('a file far larger than the memory it may cost', () => {
  let dataDir: string;
  let daemon: DaemonProcess;
  let idle: number;
  const sent = createHash('sha256');
  const authorization = `Bearer ${token({ tenant: 'acme' })}`;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'workspaced-large-'));
    daemon = await startProcess(dataDir);
    await fetch(`${daemon.url}/agent/a1/filesystem/files/warm`, {
      method: 'POST',
      headers: { authorization },
      body: 'x',
    });
    idle = await residentBytes(daemon.pid);
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it(`filesystem.create: a raw upload of ${TOTAL / MIB} MiB stays within 150 MiB of idle`, async () => {
    const body = function* () {
      for (const block of blocks(TOTAL)) {
        sent.update(block);
        yield block;
      }
    };
    const headers = { authorization, 'content-type': 'application/octet-stream', 'content-length': String(TOTAL) };
    const uploading = new Promise<number>((resolve, reject) => {
      const upload = request(`${daemon.url}/agent/a1/filesystem/files/large.bin`, { method: 'POST', headers });
      upload.on('response', (response) => resolve(response.resume().statusCode ?? 0)).on('error', reject);
      pipeline(Readable.from(body()), upload).catch(reject);
    });
    const peak = await peakDuring(daemon.pid, uploading);
    expect(await uploading).toBe(201);
    report('upload', peak, idle);
    expect(peak - idle).toBeLessThan(MEMORY_BOUND);
  }, 300_000);

  it(`filesystem.read: its raw download is byte-exact and stays within 150 MiB of idle`, async () => {
    const received = createHash('sha256');
    const downloading = (async () => {
      const url = `${daemon.url}/agent/a1/filesystem/files/large.bin?raw=true`;
      const response = await fetch(url, { headers: { authorization } });
      expect(response.headers.get('content-length')).toBe(String(TOTAL));
      for await (const chunk of response.body ?? []) received.update(chunk);
    })();
    const peak = await peakDuring(daemon.pid, downloading);
    expect(received.digest('hex')).toBe(sent.copy().digest('hex'));
    report('download', peak, idle);
    expect(peak - idle).toBeLessThan(MEMORY_BOUND);
  }, 300_000);
});

function report(what: string, peak: number, idle: number): void {
  process.stdout.write(`${what} of ${TOTAL / MIB} MiB: ${Math.round((peak - idle) / MIB)} MiB over idle\n`);
}
