import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { actor } from '../support/actor.ts';
import { type DaemonProcess, residentBytes, startProcess, token } from '../support/process.ts';
import { rawTar, rawZip } from '../support/raw-archive.ts';
import { peakDuring } from '../support/resident.ts';

const MIB = 1024 * 1024;
const MEMORY_BOUND = 100 * MIB;
const ZEROES = Buffer.alloc(192 * MIB);
/** What makes the ratio of all that follows it an honest one. */
const NOISE = randomBytes(2 * MIB);

describe('an archive a thousand times larger than it seems', () => {
  let dataDir: string;
  let daemon: DaemonProcess;
  const owner = () => actor(daemon.url, token({ tenant: 'acme' }));

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'workspaced-bomb-'));
    daemon = await startProcess(dataDir, { DURABILITY: 'none' });
    await owner().makesAgent('a1');
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  /** The answer, and how much more memory than before the daemon had at most. */
  async function extract(archive: Buffer): Promise<readonly [status: number, text: string, bytes: number]> {
    await owner().writes('a1', 'x', archive);
    const idle = await residentBytes(daemon.pid);
    const json = { archive_path: 'x', destination: 'out' };
    const extracting = owner().does('POST /agent/a1/filesystem/archives/extract', { json });
    const peak = await peakDuring(daemon.pid, extracting);
    const { status, text } = await extracting;
    return [status, text, peak - idle];
  }

  it.each([
    ['zip', () => rawZip([{ name: 'bomb', content: ZEROES }])],
    ['tar.gz', () => gzipSync(rawTar([{ name: 'bomb', content: ZEROES }]))],
    ['tar.zst', () => zstdCompressSync(rawTar([{ name: 'bomb', content: ZEROES }]))],
  ])('as a %s is refused in bounded memory, and nothing of it stays', async (_format, bomb) => {
    const [status, text, bytes] = await extract(bomb());
    expect([status, text]).toEqual([
      400,
      expect.stringContaining('\\"bomb\\" inflates the archive to more than 200 times'),
    ]);
    expect(bytes).toBeLessThan(MEMORY_BOUND);
    expect(await readdir(join(dataDir, 'tenants/acme/agents/a1/tree'))).toEqual(['x']);
    expect(await readdir(join(dataDir, 'tenants/acme/agents/a1/staging'))).toEqual([]);
  });

  it('costs no memory either where its ratio is allowed', async () => {
    const entries = [
      { name: 'noise', content: NOISE },
      { name: 'zeroes', content: ZEROES },
    ];
    const [status, text, bytes] = await extract(gzipSync(rawTar(entries)));
    expect([status, text]).toEqual([200, expect.stringContaining(`"bytes":${ZEROES.length + NOISE.length}`)]);
    expect(bytes).toBeLessThan(MEMORY_BOUND);
  });
});
