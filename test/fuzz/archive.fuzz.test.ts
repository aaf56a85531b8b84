import * as fc from 'fast-check';
import { ARCHIVE_FORMATS } from '../../src/archive/formats.ts';
import { FsError } from '../../src/errors.ts';
import { compressed, directory, file, never, packed, sourceOf, symlink } from '../archive/kit.ts';
import { rawTar } from '../archive/raw-tar.ts';
import { rawZip } from '../archive/raw-zip.ts';

/** Reads everything there is; refusing is as good as reading. Anything else thrown fails the property. */
async function read(format: (typeof ARCHIVE_FORMATS)[number], bytes: Buffer): Promise<void> {
  const source = sourceOf(bytes);
  try {
    for await (const entry of format.unpack(source, never)) {
      expect(entry.size === null || (Number.isSafeInteger(entry.size) && entry.size >= 0)).toBe(true);
      expect(entry.mode === null || (entry.mode >= 0 && entry.mode <= 0o777)).toBe(true);
      expect(entry.modifiedAt === null || Number.isFinite(entry.modifiedAt.getTime())).toBe(true);
      if (entry.kind === 'file') for await (const chunk of await entry.open()) expect(chunk.length).toBeGreaterThan(0);
    }
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'invalid_request') throw error;
  }
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 0xffffffff }));
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

/** Zips whose headers are zips' and whose facts are anybody's guess. */
const zips = fc
  .tuple(
    fc.array(
      fc.record(
        { name: bytes(20), content: bytes(40), method: fc.constantFrom(0, 8, 12), flags: u16, extra: bytes(30) },
        { requiredKeys: ['name'] },
      ),
      { maxLength: 5 },
    ),
    fc.array(
      fc.record({ crc: some(u32), size: some(u32), compressedSize: some(u32), offset: some(u32), unixMode: some(u16) }),
      {
        maxLength: 5,
      },
    ),
    fc.record({ count: some(u16), comment: bytes(50), trailing: bytes(3) }, { requiredKeys: [] }),
  )
  .map(([entries, lies, end]) => {
    const defined = <T extends object>(given: T) =>
      Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T>;
    return rawZip(
      entries.map((entry, index) => ({ ...entry, ...(defined(lies[index] ?? {}) as object) })),
      defined(end) as object,
    );
  });

const tars = fc
  .array(
    fc.record(
      {
        name: bytes(100),
        type: fc.constantFrom('0', '1', '2', '5', 'x', 'g', 'L', 'K', 'S', '\0', '?'),
        size: fc.oneof(fc.nat(2000), bytes(12)),
        mtime: fc.oneof(fc.nat(), bytes(12)),
        content: fc.oneof(bytes(600), fc.constant(Buffer.from('8 path=x\n')), fc.constant(Buffer.from('9 size=9\n'))),
        magic: fc.constantFrom('ustar\x0000', 'ustar  \0', ''),
      },
      { requiredKeys: [] },
    ),
    { maxLength: 6 },
  )
  .map((entries) => rawTar(...entries));

const LIMITS = { numRuns: 150, interruptAfterTimeLimit: 600 };

describe.each(ARCHIVE_FORMATS)('bytes given as $name', (format) => {
  it('are read or refused with invalid_request, whatever they are', async () => {
    const wrapped = tars.map((tar) => compressed(format, tar));
    const likely = format.name === 'zip' ? zips : wrapped;
    await fc.assert(
      fc.asyncProperty(fc.oneof({ weight: 1, arbitrary: bytes(2000) }, { weight: 4, arbitrary: likely }), (given) =>
        read(format, given),
      ),
      LIMITS,
    );
  });

  it('are read or refused with invalid_request, where an honest archive was changed', async () => {
    const honest = await packed(format, [
      directory('d'),
      file('d/f', 'x'.repeat(700)),
      symlink('l', 'd'),
      file('n'.repeat(150)),
    ]);
    const changes = fc.array(fc.tuple(fc.nat(honest.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(honest.length), async (all, end) => {
        const given = Buffer.from(honest);
        for (const [at, byte] of all) given[at] = byte;
        await read(format, end % 3 === 0 ? given.subarray(0, end) : given);
      }),
      LIMITS,
    );
  });
});
