import { crc32, deflateSync } from 'node:zlib';

/** One file of the demo's customer. */
export interface DemoFile {
  readonly path: string;
  readonly body: Buffer;
}

const DOCUMENTS = 220;
const ROWS = 400_000;
const REGIONS = ['north', 'east', 'south', 'west'] as const;
const WORDS =
  'the contract renews each spring unless either side gives notice in writing ninety days before its end'.split(' ');

/** What the demo uploads: documents in nested directories, a large CSV, an image and archived binaries; over 50 MB in all. */
export function* demoFiles(): Iterable<DemoFile> {
  const random = mulberry32(42);
  for (let n = 0; n < DOCUMENTS; n++)
    yield { path: `contracts/${2020 + (n % 6)}/customer-${n % 40}/contract-${n}.md`, body: document(n, random) };
  yield { path: 'datasets/sales.csv', body: sales(random) };
  yield { path: 'brand/logo.png', body: image(640, 360) };
  for (let n = 0; n < 8; n++) yield { path: `archive/scans/box-${n}/scan.bin`, body: noise(5_000_000, random) };
}

function document(n: number, random: () => number): Buffer {
  const paragraphs = Array.from({ length: 12 }, () => {
    const words = Array.from({ length: 60 }, () => WORDS[Math.floor(random() * WORDS.length)]);
    return `${words.join(' ')}.`;
  });
  return Buffer.from(`# Contract ${n}\n\n${paragraphs.join('\n\n')}\n`);
}

function sales(random: () => number): Buffer {
  const lines = ['date,region,units,price'];
  for (let n = 0; n < ROWS; n++) {
    const day = String(1 + (n % 28)).padStart(2, '0');
    lines.push(
      `2026-0${1 + (n % 9)}-${day},${REGIONS[n % 4]},${Math.floor(random() * 90)},${(random() * 100).toFixed(2)}`,
    );
  }
  return Buffer.from(`${lines.join('\n')}\n`);
}

function noise(bytes: number, random: () => number): Buffer {
  const body = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) body.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  return body;
}

/** A PNG of a colour gradient: 8-bit RGB, as the PNG specification lays it out. */
function image(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const pixels = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      pixels.set([(x * 255) / width, (y * 255) / height, 160], y * (1 + width * 3) + 1 + x * 3);
    }
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type), data]);
  const framed = Buffer.alloc(8);
  framed.writeUInt32BE(data.length, 0);
  framed.writeUInt32BE(crc32(typed), 4);
  return Buffer.concat([framed.subarray(0, 4), typed, framed.subarray(4)]);
}

/** Small seeded generator (Tommy Ettinger's mulberry32), so that every demo moves the same bytes. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
