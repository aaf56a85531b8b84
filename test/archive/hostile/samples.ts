import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type RawEntry, rawTar, rawZip } from '../../support/raw-archive.ts';

/** An archive that must be refused. */
export interface Sample {
  readonly threat: string;
  readonly entries: readonly RawEntry[];
  /** What the refusal must say, the entry's name among it. */
  readonly says: readonly string[];
  /** True where writing entries by their joined paths leaves the directory. */
  readonly escapes?: true;
  /** Too large to be tried more than once. */
  readonly isLarge?: true;
  /** Where only one of the two can hold it. */
  readonly only?: 'tar' | 'zip';
}

const evil = (name: string | Buffer): readonly RawEntry[] => [
  { name: 'good.txt', content: 'good' },
  { name, content: 'evil' },
];
const link = (name: string, target: string): RawEntry => ({ name, kind: 'symlink', target });
const MIB = 1024 * 1024;

const NAMES: readonly Sample[] = [
  { threat: 'a name with ..', entries: evil('../evil'), says: ['"../evil"', 'leaves the destination'], escapes: true },
  { threat: 'a name with .. inside', entries: evil('a/b/../../../evil'), says: ['"a/b/../../../evil"'], escapes: true },
  { threat: 'a name with .. that stays inside', entries: evil('a/../evil'), says: ['"a/../evil"'] },
  { threat: 'an absolute name', entries: evil('/OUTSIDE/evil'), says: ['/evil"', 'absolute'], escapes: true },
  { threat: 'a name with two slashes in front', entries: evil('//OUTSIDE/evil'), says: ['absolute'], escapes: true },
  { threat: 'backslashes', entries: evil('..\\evil'), says: ['"..\\\\evil"', 'backslash'] },
  { threat: 'a backslash inside', entries: evil('a\\b'), says: ['"a\\\\b"', 'backslash'] },
  { threat: 'a drive letter', entries: evil('C:/evil'), says: ['"C:/evil"', 'drive'] },
  { threat: 'a drive letter without a slash', entries: evil('c:evil'), says: ['"c:evil"', 'drive'] },
  { threat: 'NUL in a name', entries: evil('a\0b'), says: ['"a\\u0000b"', 'control'] },
  { threat: 'a line break in a name', entries: evil('a\nb'), says: ['"a\\nb"', 'control'] },
  { threat: 'an empty element', entries: evil('a//evil'), says: ['"a//evil"', 'empty'] },
  { threat: 'a . inside', entries: evil('a/./evil'), says: ['"a/./evil"', 'element'] },
  { threat: 'a . at the end', entries: evil('a/.'), says: ['"a/."', 'element'] },
  { threat: 'a name over 255 bytes', entries: evil(`${'é'.repeat(128)}/evil`), says: ['é', '255'] },
  { threat: 'a path over 4096 bytes', entries: evil(`${'a/'.repeat(2100)}evil`), says: ['a/a/', '4096'] },
];

const CLASHES: readonly Sample[] = [
  { threat: 'a file twice', entries: [...evil('a'), { name: 'a', content: 'b' }], says: ['"a"', 'twice'] },
  { threat: 'a file twice, once as ./', entries: [...evil('a'), { name: './a' }], says: ['"./a"', 'twice'] },
  { threat: 'a link twice', entries: [link('a', 'b'), link('a', '..')], says: ['"a"', 'twice'] },
  { threat: 'a file that becomes a directory', entries: [...evil('a'), { name: 'a/b' }], says: ['"a/b"', 'below "a"'] },
  { threat: 'a directory that becomes a file', entries: [{ name: 'a/b' }, ...evil('a')], says: ['"a"', 'directory'] },
  {
    threat: 'a directory that becomes a link',
    entries: [{ name: 'a/', kind: 'directory' }, link('a', '.')],
    says: ['"a"', 'directory'],
  },
];

const LINKS: readonly Sample[] = [
  {
    threat: 'a file through a link to the outside',
    entries: [link('door', '/OUTSIDE'), { name: 'door/evil', content: 'evil' }],
    says: ['door'],
    escapes: true,
  },
  {
    threat: 'a file through a link upwards',
    entries: [link('door', '../outside'), { name: 'door/evil', content: 'evil' }],
    says: ['"door/evil"', 'below "door"'],
    escapes: true,
  },
  {
    threat: 'a file through a link to the inside',
    entries: [{ name: 'd/', kind: 'directory' }, link('door', 'd'), { name: 'door/evil' }],
    says: ['"door/evil"', 'below "door"'],
  },
  { threat: 'an absolute link', entries: [link('door', '/OUTSIDE')], says: ['"door"', 'absolute'], escapes: true },
  {
    threat: 'a link that leaves',
    entries: [link('a/door', '../../outside')],
    says: ['"a/door"', 'leaves'],
    escapes: true,
  },
  { threat: 'a link that leaves and comes back', entries: [link('door', '../out/x')], says: ['"door"', 'leaves'] },
  {
    // From `d/up` one `..` is a step down from where the link leads, and a step out in the text's own way of counting.
    threat: 'a link that leaves by way of another',
    entries: [link('d/e/up', '../..'), link('door', 'd/e/up/../outside')],
    says: ['"door"', 'leaves'],
    escapes: true,
  },
  {
    threat: 'a link that leaves by way of what is not in the archive',
    entries: [link('door', 'mine/../..')],
    says: ['"door"'],
  },
  { threat: 'a link to nothing', entries: [link('door', '')], says: ['"door"', 'no name'] },
  { threat: 'a link over 4095 bytes', entries: [link('door', 'x/'.repeat(2100))], says: ['door'] },
];

const KINDS: readonly Sample[] = [
  {
    threat: 'a hard link to the outside',
    entries: [{ name: 'door', kind: 'hardlink', target: '/OUTSIDE/secret' }],
    says: ['"door"', 'absolute'],
    escapes: true,
    only: 'tar',
  },
  {
    threat: 'a hard link upwards',
    entries: [{ name: 'door', kind: 'hardlink', target: '../outside/secret' }],
    says: ['"door"', 'leaves'],
    escapes: true,
    only: 'tar',
  },
  {
    threat: 'a hard link to what is no file of the archive',
    entries: [{ name: 'door', kind: 'hardlink', target: 'mine.txt' }],
    says: ['"door"', 'mine.txt'],
    only: 'tar',
  },
  {
    threat: 'a hard link to a link',
    entries: [link('l', 'mine.txt'), { name: 'door', kind: 'hardlink', target: 'l' }],
    says: ['"door"', 'hard link'],
    only: 'tar',
  },
  ...(['character device', 'block device', 'fifo'] as const).map(
    (kind): Sample => ({
      threat: `a ${kind}`,
      entries: [...evil('a'), { name: 'dev', kind }],
      says: ['"dev"', 'device'],
      only: 'tar',
    }),
  ),
  { threat: 'a fifo', entries: [...evil('a'), { name: 'dev', kind: 'fifo' }], says: ['"dev"', 'device'], only: 'zip' },
];

const BOMBS: readonly Sample[] = [
  {
    threat: 'a file that inflates a thousandfold',
    entries: [...evil('a'), { name: 'bomb', content: Buffer.alloc(40 * MIB) }],
    says: ['"bomb"', 'times its size'],
    isLarge: true,
  },
  {
    threat: 'hard links to one large file',
    entries: [
      { name: 'bomb', content: Buffer.alloc(8 * MIB) },
      ...Array.from({ length: 5 }, (_, n): RawEntry => ({ name: `copy${n}`, kind: 'hardlink', target: 'bomb' })),
    ],
    says: ['"copy', 'times its size'],
    isLarge: true,
    only: 'tar',
  },
  {
    threat: 'a size that is claimed too small',
    entries: [{ name: 'liar', content: Buffer.alloc(MIB), claims: 10 }],
    says: ['archive'],
    only: 'zip',
  },
  {
    threat: 'a size that is claimed too large',
    entries: [{ name: 'liar', content: 'ten bytes.', claims: MIB }],
    says: ['archive'],
  },
];

/** Every hostile archive, as the formats that can hold it. */
export const SAMPLES: readonly Sample[] = [...NAMES, ...CLASHES, ...LINKS, ...KINDS, ...BOMBS];

/** The formats an archive of these entries is sent in. */
export function packings(sample: Sample, outside: string): readonly (readonly [format: string, archive: Buffer])[] {
  const entries = sample.entries.map((entry) => placed(entry, outside));
  const isBomb = BOMBS.includes(sample);
  const tar = (): (readonly [string, Buffer])[] => {
    const bytes = rawTar(entries);
    if (isBomb)
      return [
        ['tar.gz', gzipSync(bytes)],
        ['tar.zst', zstdCompressSync(bytes)],
      ];
    return [['tar', bytes]];
  };
  return [
    ...(sample.only === 'zip' ? [] : tar()),
    ...(sample.only === 'tar' ? [] : [['zip', rawZip(entries)] as const]),
  ];
}

/** With the place outside that an attack is after put in. */
export function placed(entry: RawEntry, outside: string): RawEntry {
  const at = (text: string) => text.replace('/OUTSIDE', outside);
  return {
    ...entry,
    name: typeof entry.name === 'string' ? at(entry.name) : entry.name,
    ...(entry.target === undefined ? {} : { target: at(entry.target) }),
  };
}
