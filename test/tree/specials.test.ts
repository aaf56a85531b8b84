import { execFileSync, spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { parsePath as p, pathFromBytes, ROOT, type TreePath } from '../../src/tree/path.ts';
import { staged } from '../contract/tree.contract.ts';
import { type TemporaryHome, temporaryDirectory, temporaryHome } from '../support/tree.ts';

const ALL = { after: null, limit: 1000, depth: 10_000 };
const UNBOUNDED = { depth: 100_000, entries: 100_000 };

function tool(name: string, ...args: readonly string[]): void {
  execFileSync(name, args);
}

async function contentOf(home: TemporaryHome, path: TreePath): Promise<Buffer> {
  const file = await home.tree.open(path);
  try {
    return await file.bytes(100);
  } finally {
    await file.close();
  }
}

describe('pipes, sockets and devices', () => {
  it('are listed as other and never opened, and can be moved, replaced and deleted', async () => {
    using home = await temporaryHome();
    const server = createServer().listen(home.at('socket'));
    tool('mkfifo', home.at('fifo'), home.at('again'));
    // Reading this device never ends.
    tool('mknod', home.at('device'), 'c', '1', '5');
    const { entries } = await home.tree.list(ROOT, ALL);
    expect(entries.map(({ path, kind }) => `${path}: ${kind}`)).toEqual([
      ...['again: other', 'device: other', 'fifo: other', 'socket: other'],
    ]);
    for (const { path } of entries) {
      // More than the thread pool has threads: a single blocked open of a pipe would stall what follows.
      const opens = Array.from({ length: 8 }, () => home.tree.open(path));
      for (const open of opens) await expect(open).rejects.toMatchObject({ code: 'special_file' });
      await expect(home.tree.chmod(path, 0o777)).rejects.toMatchObject({ code: 'special_file' });
      await expect(home.tree.utimes(path, new Date())).rejects.toMatchObject({ code: 'special_file' });
    }
    expect(await home.tree.count()).toEqual({ bytes: 0, files: 4 });
    const copied = await home.staging.copyDirectory(home.tree, ROOT, async () => undefined);
    expect(copied).toMatchObject({ bytes: 0, files: 1 });
    await home.tree.move(p('fifo'), p('moved'), false);
    await home.tree.place(p('again'), await staged(home, 'a file now'), 'update');
    expect(await home.tree.remove(ROOT, { recursive: true })).toEqual({ bytes: 10, files: 4 });
    server.close();
  });

  it('would stall a server that opens what it finds', () => {
    // The control, in a process of its own, because it never comes back.
    const script = `const fs = require('node:fs/promises');
      for (let i = 0; i < 4; i++) fs.readFile('fifo').catch(() => {});
      fs.stat('fifo').then(() => process.exit(0));`;
    using directory = temporaryDirectory();
    tool('mkfifo', `${directory.path}/fifo`);
    const bounds = { cwd: directory.path, timeout: 1000, killSignal: 'SIGKILL' } as const;
    const { signal } = spawnSync(process.execPath, ['-e', script], bounds);
    expect(signal).toBe('SIGKILL');
  });
});

describe('a tree deeper than any path may be long', () => {
  const LEVELS = 1200;
  // 1,200 names of five bytes: half as much again as PATH_MAX, reached by going down step by step.
  const BUILD = `for (let i = 0; i < ${LEVELS}; i++) { fs.mkdirSync('deep'); process.chdir('deep'); }
    fs.writeFileSync('bottom', '12345'); fs.mkdirSync('beside');`;

  it('is counted, walked, listed and deleted, with few descriptors', async () => {
    using home = await temporaryHome(['beside: 1']);
    execFileSync(process.execPath, ['-e', `const fs = require('node:fs'); ${BUILD}`], { cwd: home.hostPath });
    expect(await home.tree.count()).toEqual({ bytes: 6, files: LEVELS + 3 });
    let deepest = 0;
    let mostOpen = 0;
    for await (const { path } of home.tree.walk(ROOT, UNBOUNDED)) {
      deepest = Math.max(deepest, path.length);
      if (deepest % 250 === 0) mostOpen = Math.max(mostOpen, readdirSync('/proc/self/fd').length);
    }
    expect(deepest).toBe(LEVELS * 5 + 'bottom'.length);
    expect(mostOpen).toBeLessThan(150);
    const { entries, next } = await home.tree.list(ROOT, ALL);
    expect(entries).toHaveLength(1000);
    expect(await home.tree.list(ROOT, { ...ALL, after: next, limit: 5000 })).toMatchObject({ next: null });
    expect(await home.tree.remove(p('deep'), { recursive: true })).toEqual({ bytes: 5, files: LEVELS + 2 });
    expect(await home.tree.count()).toEqual({ bytes: 1, files: 1 });
    expect(readdirSync(`${home.hostPath}/../staging`)).toEqual([]);
  });

  it('is beyond what plain calls can delete by path', async () => {
    using home = await temporaryHome();
    const path = `${home.hostPath}/${'deep/'.repeat(LEVELS)}`;
    expect(() => mkdirSync(path, { recursive: true })).toThrow('ENAMETOOLONG');
  });

  it('can be read where its path has no more than 4,096 bytes, but nothing is made there that the disk cannot name', async () => {
    using home = await temporaryHome();
    const name = 'x'.repeat(255);
    const build = `for (let i = 0; i < 15; i++) { fs.mkdirSync('${name}'); process.chdir('${name}'); }
      fs.mkdirSync('${'y'.repeat(250)}'); process.chdir('${'y'.repeat(250)}'); fs.writeFileSync('f', 'deep');`;
    execFileSync(process.execPath, ['-e', `const fs = require('node:fs'); ${build}`], { cwd: home.hostPath });
    const dir = `${Array.from({ length: 15 }, () => name).join('/')}/${'y'.repeat(250)}`;
    const path = p(`${dir}/f`);
    expect(() => statSync(home.at(path))).toThrow('ENAMETOOLONG');
    expect((await contentOf(home, path)).toString()).toBe('deep');
    const beside = p(`${dir}/g`);
    await expect(home.tree.place(beside, await staged(home, 'x'), 'create')).rejects.toMatchObject({
      code: 'invalid_path',
    });
    await expect(home.tree.mkdir(beside)).rejects.toMatchObject({ code: 'invalid_path' });
    await expect(home.tree.move(path, beside, false)).rejects.toMatchObject({ code: 'invalid_path' });
    expect(await home.tree.remove(path, { recursive: false })).toEqual({ bytes: 4, files: 1 });
    expect(await home.tree.remove(p(name), { recursive: true })).toEqual({ bytes: 0, files: 16 });
  });
});

describe('names', () => {
  it('that are not UTF-8 are listed without loss, read, moved and deleted', async () => {
    using home = await temporaryHome(['d/']);
    const names = [Buffer.from([0x61, 0xff]), Buffer.from([0x61, 0xfe]), Buffer.from('a\ufffd')];
    for (const name of names) writeFileSync(Buffer.concat([Buffer.from(home.at('d/')), name]), name);
    const { entries } = await home.tree.list(p('d'), ALL);
    const paths = names.map((name) => pathFromBytes(Buffer.concat([Buffer.from('d/'), name])));
    expect(new Set(entries.map(({ path }) => path))).toEqual(new Set(paths));
    const [ff, fe, replacement] = paths as [TreePath, TreePath, TreePath];
    expect(await contentOf(home, ff)).toEqual(names[0]);
    expect((await home.tree.move(fe, p('d/renamed'), false)).entry.size).toBe(2);
    expect(await home.tree.find(replacement)).toMatchObject({ size: 4 });
    const copy = await home.staging.copyDirectory(home.tree, p('d'), async () => undefined);
    await home.tree.place(p('e'), copy, 'create');
    expect(await home.tree.find(pathFromBytes(Buffer.from([0x65, 0x2f, 0x61, 0xff])))).toMatchObject({ size: 2 });
    expect(await home.tree.remove(ff, { recursive: false })).toEqual({ bytes: 2, files: 1 });
    expect(await home.tree.remove(p('d'), { recursive: true })).toEqual({ bytes: 6, files: 3 });
  });

  it('with control characters and backslashes stay listable, readable and deletable', async () => {
    using home = await temporaryHome(['back\\slash: 1', 'new\nline: 2', 'tab\there/f: 3']);
    const { entries } = await home.tree.list(ROOT, ALL);
    expect(entries).toHaveLength(4);
    for (const { path, kind } of entries) {
      if (kind === 'file') expect((await contentOf(home, path)).length).toBe(1);
      await home.tree.chmod(path, 0o700);
    }
    expect(await home.tree.remove(p('back\\slash'), { recursive: false })).toEqual({ bytes: 1, files: 1 });
    expect(await home.tree.remove(p('tab\there'), { recursive: true })).toEqual({ bytes: 1, files: 2 });
  });
});

describe('sparse files and hard links', () => {
  it('count by what they hold, and a copy keeps its holes', async () => {
    using home = await temporaryHome(['sparse: x']);
    truncateSync(home.at('sparse'), 64 << 20);
    const { size, charged } = await home.tree.stat(p('sparse'));
    expect(size).toBe(64 << 20);
    expect(charged).toBeLessThan(1 << 20);
    const copy = await home.staging.copy(await home.tree.open(p('sparse')));
    expect(copy.size).toBe(size);
    expect(copy.charged).toBeLessThan(1 << 20);
    linkSync(home.at('sparse'), home.at('again'));
    expect(await home.tree.count()).toEqual({ bytes: charged, files: 1 });
  });
});
