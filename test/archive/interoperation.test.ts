import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ArchiveReader, libarchiveWasm } from 'libarchive-wasm';
import { ARCHIVE_FORMATS, formatOfFile, HEAD_BYTES, recogniseFormat } from '../../src/archive/formats.ts';
import { directory, file, MODIFIED_AT, packed, type Seen, symlink, unpacked } from './kit.ts';

const FIXTURES = fileURLToPath(new URL('fixtures/', import.meta.url));
const LONG = `deep/${'n'.repeat(150)}.txt`;
const NUMBERS = Array.from({ length: 2000 }, (_, n) => `${n + 1}\n`).join('');

/** What fixtures/make.sh puts into each archive: path, then mode and content of a file, target of a link, or neither. */
const TREE: readonly (readonly [path: string, mode?: string | null, content?: string])[] = [
  ['bin/'],
  ['bin/dangling', null, '../nowhere'],
  ['bin/run.sh', '755', '#!/bin/sh\necho run\n'],
  ['deep/'],
  [LONG, '644', 'deep\n'],
  ['empty.txt', '644', ''],
  ['empty/'],
  ['hello.txt', '444', 'hello\n'],
  ['link', null, 'hello.txt'],
  ['numbers.txt', '644', NUMBERS],
  ['é 文件.txt', '644', 'name\n'],
];

function rows(seen: readonly Seen[]): unknown {
  const sorted = seen.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  return sorted.map(({ name, kind, mode, target, content }) => {
    if (kind === 'directory') return [name];
    return target === null ? [name, mode, content] : [name, null, target];
  });
}

const only = (...names: readonly string[]) => TREE.filter(([path]) => names.includes(path));
const EXPECTED: Readonly<Record<string, typeof TREE>> = {
  'info-zip.zip': TREE,
  'info-zip-extra.zip': TREE,
  'info-zip-stored.zip': TREE,
  'info-zip-streamed.zip': only('hello.txt', 'numbers.txt'),
  'gnu-tar.gnu.tar': TREE,
  'gnu-tar.pax.tar': TREE,
  'gnu-tar.ustar.tar': TREE.filter(([path]) => path !== LONG),
  'gnu-tar.v7.tar': TREE.filter(([path]) => path !== LONG),
  'gnu-tar.tar.gz': TREE,
  'gnu-tar.tar.zst': TREE,
  'bsdtar.tar': TREE,
  'bsdtar.gnutar.tar': TREE,
  'bsdtar.tar.gz': TREE,
  'bsdtar.tar.zst': TREE,
  'bsdtar.zip': TREE,
};

describe('archives of other tools', () => {
  it.each(Object.keys(EXPECTED))('%s opens here, and all is in it', async (name) => {
    const bytes = await readFile(FIXTURES + name);
    const format = recogniseFormat(bytes.subarray(0, HEAD_BYTES));
    expect(format).toBe(formatOfFile(name));
    const seen = await unpacked(format, bytes);
    expect(rows(seen)).toEqual(EXPECTED[name]);
    // Info-ZIP's -X leaves the times to DOS, which has no zone.
    const isZoned = name !== 'info-zip.zip';
    if (isZoned) for (const { modifiedAt } of seen) expect(modifiedAt).toBe(MODIFIED_AT.toISOString());
  });

  it('in bzip2 are named, and not opened', async () => {
    const head = (await readFile(`${FIXTURES}gnu-tar.tar.bz2`)).subarray(0, HEAD_BYTES);
    expect(() => recogniseFormat(head)).toThrow('bzip2 archives are not read; zip, tar.gz, tar.zst, tar are');
  });

  it('are all looked at', async () => {
    const names = (await readdir(FIXTURES)).filter((name) => name !== 'make.sh' && !name.endsWith('.bz2'));
    expect(names.sort()).toEqual(Object.keys(EXPECTED).sort());
  });
});

describe('archives made here', () => {
  const members = [
    directory('empty'),
    file('hello.txt', 'hello\n', { mode: 0o444 }),
    file('nothing'),
    file('numbers.txt', NUMBERS),
    file('large', 'x'.repeat(1_500_000)),
    symlink('link', 'hello.txt'),
    file(LONG, 'deep\n'),
  ];

  // libarchive is what bsdtar is made of. This build of it has no zstd, and no locale for names beyond ASCII.
  it.each(ARCHIVE_FORMATS.filter(({ name }) => name !== 'tar.zst'))('as $name open in libarchive', async (format) => {
    const reader = new ArchiveReader(await libarchiveWasm(), new Int8Array(await packed(format, members)));
    const seen: unknown[] = [];
    for (const entry of reader.entries()) {
      expect(entry.getModificationTime()).toBe(MODIFIED_AT.getTime());
      const content = Buffer.from(entry.readData() ?? []).toString();
      seen.push([entry.getPathname(), entry.getFiletype(), entry.getSymlinkTarget() || content]);
    }
    reader.free();
    expect(seen).toEqual([
      ['empty/', 'Directory', ''],
      ['hello.txt', 'File', 'hello\n'],
      ['nothing', 'File', ''],
      ['numbers.txt', 'File', NUMBERS],
      ['large', 'File', 'x'.repeat(1_500_000)],
      ['link', 'SymbolicLink', 'hello.txt'],
      [LONG, 'File', 'deep\n'],
    ]);
  });
});
