/**
 * Packs and unpacks a file of zeros in a process of its own, where all buffers are its own, and prints as JSON the most bytes of
 * buffers that anything held meanwhile. Usage: node --expose-gc bomb-in-pieces.ts FORMAT
 */
import { Readable } from 'node:stream';
import { formatNamed } from '../../src/archive/formats.ts';
import { file, listed, never, pack, sourceOf } from './kit.ts';

const MIB = 1 << 20;
const SIZE = 96 * MIB;
const SLICE = MIB / 4;
const LOOK_EVERY = 4 * MIB;

function held(): number {
  // Else buffers that wait for the collector would count.
  globalThis.gc?.();
  return process.memoryUsage().external;
}

/** Told of bytes that pass; looks now and then at what is held over the beginning. */
function peak(): { pass(bytes: number): void; readonly bytes: number } {
  const before = held();
  let bytes = 0;
  let unseen = 0;
  return {
    pass: (passed) => {
      unseen += passed;
      if (unseen < LOOK_EVERY) return;
      unseen = 0;
      bytes = Math.max(bytes, held() - before);
    },
    get bytes() {
      return bytes;
    },
  };
}

const format = formatNamed(process.argv[2] ?? '');
const packing = peak();
function* zeros(): Generator<Buffer> {
  for (let made = 0; made < SIZE; made += SLICE) {
    packing.pass(SLICE);
    yield Buffer.alloc(SLICE);
  }
}
const open = async () => Readable.from(zeros());
const bomb = Buffer.concat(await pack(format, listed([file('bomb', '', { size: SIZE, open })])).toArray());

const unpacking = peak();
let bytes = 0;
for await (const entry of format.unpack(sourceOf(bomb), never)) {
  for await (const chunk of await entry.open()) {
    bytes += chunk.length;
    unpacking.pass(chunk.length);
  }
}
const ratio = SIZE / bomb.length;
console.log(JSON.stringify({ isWhole: bytes === SIZE, ratio, packing: packing.bytes, unpacking: unpacking.bytes }));
