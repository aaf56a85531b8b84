import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ARCHIVE_FORMATS } from '../../src/archive/formats.ts';
import { file, listed, never, pack, sourceOf } from './kit.ts';

const GIB = 2 ** 30;
const SIZE = 5 * GIB;

// At level 0 what follows begins beyond 4 GiB, and so does a zip's directory.
const CASES = ARCHIVE_FORMATS.flatMap((format) => [0, 1].map((level) => ({ format, level, name: format.name })));

describe.each(CASES)('a member of 5 GiB as $name at level $level', ({ format, level }) => {
  it('comes back whole, and so does what follows it', async () => {
    const home = await mkdtemp(join(tmpdir(), 'workspaced-large-'));
    try {
      const path = join(home, 'archive');
      const zeros = Buffer.alloc(1 << 20);
      const open = async () =>
        Readable.from(
          (function* () {
            for (let n = 0; n < SIZE / zeros.length; n += 1) yield zeros;
          })(),
        );
      const members = listed([file('large', '', { size: SIZE, open }), file('after', 'x')]);
      await pipeline(pack(format, members, level), createWriteStream(path));
      const source = { size: (await stat(path)).size, stream: (range = {}) => createReadStream(path, range) };

      const seen: unknown[] = [];
      for await (const entry of format.unpack(source, never)) {
        let bytes = 0;
        for await (const chunk of await entry.open()) bytes += chunk.length;
        seen.push([entry.name.toString(), entry.size, bytes]);
      }
      expect(seen).toEqual([
        ['large', SIZE, SIZE],
        ['after', 1, 1],
      ]);
    } finally {
      await rm(home, { recursive: true });
    }
  });
});

describe.each(ARCHIVE_FORMATS)('70,000 members as $name', (format) => {
  it('come back one after the other, though sixteen bits do not count them', async () => {
    const count = 70_000;
    const members = (function* () {
      for (let n = 0; n < count; n += 1) yield file(`f${n}`, n % 100 === 0 ? 'x' : '');
    })();
    const source = sourceOf(Buffer.concat(await pack(format, listed(members)).toArray()));
    let seen = 0;
    for await (const entry of format.unpack(source, never))
      seen += entry.name.toString() === `f${seen}` ? 1 : Number.NaN;
    expect(seen).toBe(count);
  });
});
