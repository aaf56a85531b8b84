import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { appendFile, truncate, writeFile } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { rawTar, rawZip } from '../support/raw-archive.ts';
import { linesOf, makeWorld, type World } from '../support/scenario.ts';
import { until } from '../support/wait.ts';

const ARCHIVES = '/agent/a1/filesystem/archives';
const PATIENCE_MS = 20_000;
const MIB = 1024 * 1024;

let daemon: TestDaemon;
let world: World;

beforeAll(async () => {
  daemon = await startTestDaemon();
});
afterAll(() => daemon.close());
beforeEach(async () => {
  world = makeWorld(daemon);
  await world.owner.makesAgent('a1');
});

const at = (path: string) => join(world.disk('a1'), path);
const staged = () => readdirSync(join(world.disk('a1'), '../staging'));

async function usage(): Promise<unknown> {
  const { as, tenant } = world;
  await as({ scope: 'admin' }).does(`POST /admin/tenants/${tenant}/rescan`);
  return ((await as({ scope: 'admin' }).does(`GET /admin/tenants/${tenant}`)).body as { usage: unknown }).usage;
}

/** A call whose answer is read by hand, or not at all. */
function calls(
  target: string,
  json: object,
): { readonly sent: ClientRequest; readonly answer: Promise<IncomingMessage> } {
  const { hostname, port } = new URL(daemon.url);
  const headers = {
    authorization: `Bearer ${daemon.token({ tenant: world.tenant })}`,
    'content-type': 'application/json',
  };
  const sent = request({ hostname, port, path: target, method: 'POST', headers });
  const answer = new Promise<IncomingMessage>((resolve, reject) => sent.on('response', resolve).on('error', reject));
  // Thrown to whoever waits for it.
  answer.catch(() => undefined);
  sent.end(JSON.stringify(json));
  return { sent, answer };
}

/** Files of the workspace that this process holds open: the daemon is in it. */
function heldOpen(): readonly string[] {
  const held = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
  return held.filter((path) => path.startsWith(world.disk('a1')));
}

describe('a client that goes away', () => {
  it('while its archive is extracted leaves nothing', async () => {
    const entries = Array.from({ length: 20_000 }, (_, n) => ({ name: `${n % 50}/${n}`, content: `${n}` }));
    await writeFile(at('x.tar'), rawTar(entries));
    const before = await usage();
    const { sent } = calls(`${ARCHIVES}/extract`, { archive_path: 'x.tar', destination: 'out' });
    await until(() => staged().length > 0, 'extraction', PATIENCE_MS);
    sent.on('error', () => undefined).destroy();
    await until(() => staged().length === 0 && heldOpen().length === 0, 'the end of it', PATIENCE_MS);
    expect([existsSync(at('out')), readdirSync(world.disk('a1'))]).toEqual([false, ['x.tar']]);
    expect(await usage()).toEqual(before);
  });

  it('while an archive is made into the tree leaves nothing', async () => {
    await writeFile(at('large.bin'), randomBytes(48 * MIB));
    const before = await usage();
    const { sent } = calls(ARCHIVES, { paths: ['large.bin'], output_path: 'x.tgz', compression_level: 9 });
    await until(() => staged().length > 0, 'packing', PATIENCE_MS);
    sent.on('error', () => undefined).destroy();
    await until(() => staged().length === 0 && heldOpen().length === 0, 'the end of it', PATIENCE_MS);
    expect(readdirSync(world.disk('a1'))).toEqual(['large.bin']);
    expect(await usage()).toEqual(before);
  });

  it('while an archive is sent gives every file back', async () => {
    await Promise.all(Array.from({ length: 40 }, (_, n) => writeFile(at(`${n}.bin`), randomBytes(MIB))));
    const { sent, answer } = calls(ARCHIVES, { paths: ['/'] });
    await answer;
    expect(heldOpen().length).toBeGreaterThan(0);
    sent.destroy();
    await until(() => heldOpen().length === 0, 'the end of it', PATIENCE_MS);
  });
});

describe('a file that changes while it is packed', () => {
  const size = 48 * MIB;

  it.each(['zip', 'tar', 'tar.gz', 'tar.zst'])('to be shorter cuts the transfer of a %s', async (format) => {
    await writeFile(at('large.bin'), randomBytes(size));
    const { answer } = calls(ARCHIVES, { paths: ['large.bin'], format });
    const incoming = await answer;
    await truncate(at('large.bin'), 1000);
    const ended = await incoming
      .resume()
      .toArray()
      .then(
        () => 'whole',
        (error: Error) => error.message,
      );
    expect([incoming.statusCode, ended]).toEqual([200, 'aborted']);
    expect(heldOpen()).toEqual([]);
  });

  it('to be longer is packed as it was when it was opened', async () => {
    const content = randomBytes(size);
    await writeFile(at('large.bin'), content);
    const { answer } = calls(ARCHIVES, { paths: ['large.bin'], format: 'tar' });
    const incoming = await answer;
    await appendFile(at('large.bin'), 'more');
    const archive = Buffer.concat(await incoming.toArray());
    expect([archive.length, archive.subarray(512, 512 + size).equals(content)]).toEqual([size + 1536, true]);
  });

  it('to be a pipe is never opened: 403 by its name, left out of its directory', async () => {
    await world.owner.writes('a1', 'd/a.txt', 'a');
    execFileSync('mkfifo', [at('d/pipe')]);
    const named = await world.owner.does(`POST ${ARCHIVES}`, { json: { paths: ['d/pipe'] } });
    expect([named.status, named.body]).toEqual([403, expect.objectContaining({ code: 'special_file' })]);
    expect((await world.owner.does(`POST ${ARCHIVES}`, { json: { paths: ['d'], output_path: 'x.zip' } })).status).toBe(
      201,
    );
    await world.owner.does(`POST ${ARCHIVES}/extract`, { json: { archive_path: 'x.zip', destination: 'out' } });
    expect(await linesOf(at('out'))).toEqual(['d/', 'd/a.txt: a']);
  });
});

describe('an archive that is cut off or damaged', () => {
  const entries = Array.from({ length: 50 }, (_, n) => ({ name: `d/${n}`, content: randomBytes(2000) }));
  const whole: readonly (readonly [string, Buffer])[] = [
    ['zip', rawZip(entries)],
    ['tar', rawTar(entries)],
    ['tar.gz', gzipSync(rawTar(entries))],
    ['tar.zst', zstdCompressSync(rawTar(entries), { params: { [constants.ZSTD_c_checksumFlag]: 1 } })],
  ];

  it.each(whole)('is refused as a %s, and leaves nothing', async (_format, archive) => {
    const flipped = Buffer.from(archive);
    for (let n = 0; n < 40; n += 1) flipped.writeUInt8(flipped.readUInt8(60_000 + n) ^ 0xff, 60_000 + n);
    const isPlain = _format === 'tar';
    const spoilt = [archive.subarray(0, 700), archive.subarray(0, archive.length >> 1), ...(isPlain ? [] : [flipped])];
    for (const bytes of spoilt) {
      await world.owner.writes('a1', 'x', bytes);
      const before = await usage();
      const json = { archive_path: 'x', destination: 'out' };
      const answer = await world.owner.does(`POST ${ARCHIVES}/extract`, { json });
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('archive')]);
      expect([staged(), readdirSync(world.disk('a1')), await usage()]).toEqual([[], ['x'], before]);
    }
  });
});
