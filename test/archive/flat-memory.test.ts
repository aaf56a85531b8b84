import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ARCHIVE_FORMATS } from '../../src/archive/formats.ts';
import { file, listed, never, pack, sourceOf } from './kit.ts';

const MIB = 1 << 20;
const SIZE = 96 * MIB;
const SLICE = MIB / 4;
const MOST = 32 * MIB;
const LOOK_EVERY = 16;

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Bytes of the buffers that somebody still holds. */
function held(): number {
  collect();
  return process.memoryUsage().external;
}

/** The most that is held over what was at the beginning, looked at now and then. */
function peak(): { look(): void; readonly bytes: number } {
  const before = held();
  let bytes = 0;
  let turn = 0;
  return {
    look: () => {
      if (turn++ % LOOK_EVERY === 0) bytes = Math.max(bytes, held() - before);
    },
    get bytes() {
      return bytes;
    },
  };
}

describe.each(ARCHIVE_FORMATS.filter(({ name }) => name !== 'tar'))('a bomb as $name', (format) => {
  it('goes through in pieces, both ways', async () => {
    const packing = peak();
    function* zeros(): Generator<Buffer> {
      for (let made = 0; made < SIZE; made += SLICE) {
        packing.look();
        yield Buffer.alloc(SLICE);
      }
    }
    const open = async () => Readable.from(zeros());
    const parts: Buffer[] = [];
    for await (const part of pack(format, listed([file('bomb', '', { size: SIZE, open })]))) parts.push(part);
    const bomb = Buffer.concat(parts);
    expect(SIZE / bomb.length).toBeGreaterThan(900);
    expect(packing.bytes).toBeLessThan(MOST);

    const unpacking = peak();
    let bytes = 0;
    for await (const entry of format.unpack(sourceOf(bomb), never)) {
      for await (const chunk of await entry.open()) {
        bytes += chunk.length;
        unpacking.look();
      }
    }
    expect(bytes).toBe(SIZE);
    expect(unpacking.bytes).toBeLessThan(MOST);
  });
});
