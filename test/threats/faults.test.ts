import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { actor } from '../support/actor.ts';
import { itNeeds, lackOf, lackOfDisks } from '../support/machine.ts';
import { type DaemonProcess, filesBelow, startProcess, token } from '../support/process.ts';
import { rawTar } from '../support/raw-archive.ts';
import { until } from '../support/wait.ts';

/** A daemon of its own on a disk that fails, or without descriptors: it answers, keeps what there was, and lives. */
const MIB = 1024 ** 2;
const ACME = token({ tenant: 'acme', scope: 'workspace:read workspace:write store:read store:write admin' });
const TREE = 'tenants/acme/agents/a1/tree';
const STAGING = 'tenants/acme/agents/a1/staging';

let directory: string;
let daemon: DaemonProcess | null = null;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'workspaced-fault-'));
});
afterEach(async () => {
  await daemon?.kill();
  daemon = null;
  spawnSync('umount', [join(directory, 'disk')], { stdio: 'ignore' });
  await rm(directory, { recursive: true, force: true });
});

const put = (path: string) => `PUT /agent/a1/filesystem/files/${path}?upsert=true&raw=true`;

/** The ledger says what the disk says. */
async function expectTrueLedger(url: string): Promise<void> {
  const { body } = await actor(url, ACME).does('POST /admin/tenants/acme/rescan?dry_run=true');
  expect(body).toMatchObject({ drift: { bytes: 0, files: 0 } });
}

describe('a full disk', () => {
  const title = 'is 507 for every way to write; the old content stays, nothing is left over, and room helps at once';
  itNeeds(lackOfDisks(), title, async () => {
    const disk = join(directory, 'disk');
    await mkdir(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', disk]);
    daemon = await startProcess(disk, { DATABASE_URL: `sqlite:${join(directory, 'db')}` });
    const ann = actor(daemon.url, ACME);
    await ann.writes('a1', 'old', 'old content');
    const big = Buffer.alloc(8 * MIB, 'x');
    const many = Array.from({ length: 400 }, (_, n) => ({ name: `${n}`, content: big.subarray(0, 20_000) }));
    await ann.writes('a1', 'large.tgz', gzipSync(rawTar([{ name: 'large', content: big }])));
    await ann.writes('a1', 'many.tgz', gzipSync(rawTar(many)));
    const extract = 'POST /agent/a1/filesystem/archives/extract';
    for (const [call, sent] of [
      [put('old'), { raw: big }],
      [put('new'), { raw: big }],
      ['PUT /agent/a1/filesystem/files/old?upsert=true', { json: { content: big.toString() } }],
      ['PATCH /agent/a1/filesystem/files/old', { json: { operation: 'append', content: big.toString() } }],
      [
        'POST /agent/a1/filesystem/operations/edit',
        { json: { path: 'old', edits: [{ old_string: 'old', new_string: big.toString() }] } },
      ],
      ['POST /api/v1/files/upload', { form: [{ name: 'files', filename: 'f', value: big }] }],
      [extract, { json: { archive_path: 'large.tgz', destination: 'out' } }],
      [extract, { json: { archive_path: 'many.tgz', destination: 'out' } }],
    ] as const) {
      const answer = await ann.does(call, sent);
      expect([call, answer.status]).toEqual([call, 507]);
      expect(answer.text).not.toContain(directory);
    }
    expect(await ann.reads('a1', 'old')).toBe('old content');
    expect((await readdir(join(disk, TREE))).sort()).toEqual(['large.tgz', 'many.tgz', 'old']);
    expect(await readdir(join(disk, STAGING))).toEqual([]);
    await ann.writes('a1', 'small', 'fits');
    await expectTrueLedger(daemon.url);
  });
});

/** The same daemon again, with this call of the kernel failing on every disk it touches. */
async function restartFailing(data: string, call: string, database: string): Promise<DaemonProcess> {
  daemon = await startProcess(data);
  await actor(daemon.url, ACME).writes('a1', 'old', 'old content');
  await daemon.stop();
  const inject = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', `inject=${call}:error=EIO`];
  daemon = await startProcess(data, { DATABASE_URL: database }, ['strace', ...inject]);
  return daemon;
}

describe('a disk that fails', () => {
  // SQLite writes by other calls than these two; for the third it is kept in memory.
  const lack = lackOf('strace', '-o', '/dev/null', 'true');
  for (const [call, database] of [
    ['pwritev', 'sqlite:workspaced.db'],
    ['renameat,rename', 'sqlite:workspaced.db'],
    ['fsync', 'sqlite::memory:'],
  ] as const) {
    itNeeds(lack, `in ${call} is 500; the old content stays and nothing is left over`, async () => {
      const data = join(directory, 'data');
      const { url } = await restartFailing(data, call, database.replace('workspaced.db', join(data, 'workspaced.db')));
      const ann = actor(url, ACME);
      const answer = await ann.does(put('old'), { raw: Buffer.alloc(2 * MIB, 'x') });
      expect([answer.status, (answer.body as { code: string }).code]).toEqual([500, 'internal']);
      expect(answer.text).not.toMatch(/EIO|\/tmp/);
      expect(await readFile(join(data, TREE, 'old'), 'utf8')).toBe('old content');
      expect(await readdir(join(data, STAGING))).toEqual([]);
      expect((await ann.does('GET /healthz')).status).toBe(200);
      if (database !== 'sqlite::memory:') await expectTrueLedger(url);
    });
  }
});

describe('a daemon without descriptors', () => {
  it('answers 503 and goes on when there are some again', async () => {
    const data = join(directory, 'data');
    daemon = await startProcess(data, {}, ['prlimit', '--nofile=96']);
    const ann = actor(daemon.url, ACME);
    await ann.writes('a1', 'file', Buffer.alloc(16 * MIB, 'x'));
    const { hostname, port } = new URL(daemon.url);
    const sockets: Socket[] = [];
    const answers: string[] = [];
    const get = `GET /agent/a1/filesystem/files/file?raw=true HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${ACME}\r\n\r\n`;
    // Each download that nobody reads holds a file and a socket.
    for (let n = 0; n < 60; n += 1) {
      const socket = connect(Number(port), hostname, () => socket.write(get));
      socket.on('error', () => undefined);
      socket.once('data', (chunk) => {
        answers.push(chunk.toString('latin1', 0, 12));
        socket.pause();
      });
      sockets.push(socket);
    }
    await until(() => answers.includes('HTTP/1.1 503'), 'a 503');
    expect(answers.filter((answer) => answer !== 'HTTP/1.1 503' && answer !== 'HTTP/1.1 200')).toEqual([]);
    for (const socket of sockets) socket.destroy();
    const works = async () => (await ann.does(put('after'), { raw: 'x' }).catch(() => null))?.status === 200;
    await until(works, 'a write');
    expect(existsSync(`/proc/${daemon.pid}`)).toBe(true);
    expect(await filesBelow(join(data, STAGING))).toEqual([]);
    await until(async () => (await readdir(`/proc/${daemon?.pid}/fd`)).length < 60, 'descriptors given back');
  });
});
