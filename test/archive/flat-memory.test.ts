import { Readable } from 'node:stream';
import { ARCHIVE_FORMATS } from '../../src/archive/formats.ts';
import { file, listed, never, pack, sourceOf } from './kit.ts';

const MIB = 1 << 20;
const SIZE = 96 * MIB;
/** Buffers that wait for the collector are counted too, so this is far over what is held at once. */
const MOST = 48 * MIB;

/** The most memory for buffers, over that of the beginning, each time it is looked at. */
function peak(): { look(): void; readonly bytes: number } {
  const buffers = () => process.memoryUsage().external;
  const before = buffers();
  let bytes = 0;
  return {
    look: () => {
      bytes = Math.max(bytes, buffers() - before);
    },
    get bytes() {
      return bytes;
    },
  };
}

describe.each(ARCHIVE_FORMATS.filter(({ name }) => name !== 'tar'))('a bomb as $name', (format) => {
  it('goes through in pieces, both ways', async () => {
    const zeros = Buffer.alloc(MIB / 4);
    const open = async () => Readable.from(Array.from({ length: SIZE / zeros.length }, () => zeros));
    const packing = peak();
    const parts: Buffer[] = [];
    for await (const part of pack(format, listed([file('bomb', '', { size: SIZE, open })]))) {
      parts.push(part);
      packing.look();
    }
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
