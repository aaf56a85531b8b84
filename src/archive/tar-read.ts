import { addAbortSignal, Readable } from 'node:stream';
import { ByteReader } from './byte-reader.ts';
import { damaged } from './faults.ts';
import type { ArchiveEntry } from './format.ts';
import { BLOCK_BYTES } from './produced.ts';
import { decodeHeader, paddingOf, TAR_BLOCK, type TarHeader } from './tar-header.ts';
import { decodePax } from './tar-pax.ts';

/** What may stand in front of an entry: long names and other facts about it. */
const MAX_EXTENSION_BYTES = 1 << 20;
const MAX_EXTENSIONS = 16;
/** Read after the end mark, so that a compressed stream is held against its checksum. GNU tar pads to 10 KiB. */
const MAX_TRAILING_BYTES = 1 << 20;

/** What extended headers say of the entry that follows. */
interface Extras {
  readonly path?: Buffer;
  readonly linkpath?: Buffer;
  readonly size?: number;
  readonly mtime?: number;
}

const KINDS: Readonly<Record<string, ArchiveEntry['kind']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
};
/** Links, directories, devices and pipes: whatever their size says, nothing follows their header. */
const WITHOUT_CONTENT = '123456';

/** The entries of a tar, old or new. @throws invalid_request where it is damaged, cut off or has sparse files */
export async function* unpackTar(stream: Readable, signal: AbortSignal): AsyncGenerator<ArchiveEntry> {
  const reader = new ByteReader(addAbortSignal(signal, stream));
  try {
    for (;;) {
      const found = await nextHeader(reader);
      if (found === null) break;
      const content = new Content(reader, found.size);
      yield entryOf(found, content);
      await content.skip();
      await skip(reader, paddingOf(found.size));
    }
    await skip(reader, MAX_TRAILING_BYTES, 'or less');
  } finally {
    await reader.close();
  }
}

interface Found extends TarHeader {
  readonly extras: Extras;
}

/** The header of the next entry, with all that was said before it; null at the end mark. */
async function nextHeader(reader: ByteReader): Promise<Found | null> {
  let extras: Extras = {};
  for (let count = 0; count <= MAX_EXTENSIONS; count += 1) {
    const block = await reader.exactly(TAR_BLOCK);
    if (block.length < TAR_BLOCK) throw damaged('it ends before its end mark; part of it is missing');
    if (block.every((byte) => byte === 0)) return null;
    const header = decodeHeader(block);
    if (header.type === 'S') throw sparse(header.name);
    if ('xgLK'.includes(header.type)) extras = { ...extras, ...(await readExtras(reader, header)) };
    else return found(header, extras);
  }
  throw damaged(`more than ${MAX_EXTENSIONS} extended headers stand in front of one entry`);
}

function found(header: TarHeader, extras: Extras): Found {
  const size = WITHOUT_CONTENT.includes(header.type) ? 0 : (extras.size ?? header.size);
  return { ...header, name: extras.path ?? header.name, linkname: extras.linkpath ?? header.linkname, size, extras };
}

async function readExtras(reader: ByteReader, header: TarHeader): Promise<Extras> {
  if (header.size > MAX_EXTENSION_BYTES) {
    throw damaged(`an extended header claims ${header.size} bytes; at most ${MAX_EXTENSION_BYTES} are read`);
  }
  const content = await reader.exactly(header.size);
  if (content.length < header.size) throw damaged('it is cut off within an extended header');
  await skip(reader, paddingOf(header.size));
  // A global header would give each entry after it the same name: what it may say is of no use here.
  if (header.type === 'g') return {};
  if (header.type === 'L') return { path: upToNul(content) };
  if (header.type === 'K') return { linkpath: upToNul(content) };
  return extrasOf(decodePax(content));
}

function extrasOf(records: ReadonlyMap<string, Buffer>): Extras {
  const name = records.get('path');
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.'))) {
    throw sparse(records.get('GNU.sparse.name') ?? name ?? Buffer.from('one'));
  }
  const linkpath = records.get('linkpath');
  const size = records.get('size');
  const mtime = records.get('mtime');
  return {
    ...(name !== undefined && { path: name }),
    ...(linkpath !== undefined && { linkpath }),
    ...(size !== undefined && { size: wholeNumber(size) }),
    ...(mtime !== undefined && { mtime: Number(mtime.toString('latin1')) }),
  };
}

function wholeNumber(text: Buffer): number {
  const digits = text.toString('latin1');
  const value = /^[0-9]{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw damaged('an extended header claims a size that is no number');
  return value;
}

function sparse(name: Buffer): Error {
  return damaged(`${name.toString()} is stored as a sparse file, which is not read; pack it again without that option`);
}

function upToNul(content: Buffer): Buffer {
  const end = content.indexOf(0);
  return end < 0 ? content : content.subarray(0, end);
}

function entryOf(header: Found, content: Content): ArchiveEntry {
  // Before POSIX a directory was a file whose name ends in a slash.
  const isOldDirectory = '\x000'.includes(header.type) && header.name.at(-1) === 0x2f;
  const kind = isOldDirectory ? 'directory' : (KINDS[header.type] ?? 'other');
  const modifiedAt = new Date((header.extras.mtime ?? header.mtime) * 1000);
  return {
    name: header.name,
    kind,
    size: header.size,
    target: kind === 'symlink' || kind === 'hardlink' ? header.linkname : null,
    mode: header.mode,
    modifiedAt: Number.isNaN(modifiedAt.getTime()) ? null : modifiedAt,
    open: async () => content.open(),
  };
}

/** The bytes of one entry, which are read or skipped before the next header. */
class Content {
  readonly #reader: ByteReader;
  #left: number;

  constructor(reader: ByteReader, size: number) {
    this.#reader = reader;
    this.#left = size;
  }

  open(): Readable {
    return Readable.from(this.#chunks(), { objectMode: false, highWaterMark: BLOCK_BYTES });
  }

  /** Whatever is left of it. @throws invalid_request */
  async skip(): Promise<void> {
    for await (const _chunk of this.#chunks());
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    while (this.#left > 0) {
      const chunk = await this.#reader.some(Math.min(this.#left, BLOCK_BYTES));
      if (chunk === null) throw damaged(`it is cut off, ${this.#left} bytes before the end of an entry`);
      this.#left -= chunk.length;
      yield chunk;
    }
  }
}

async function skip(
  reader: ByteReader,
  bytes: number,
  ending: 'all of them' | 'or less' = 'all of them',
): Promise<void> {
  for (let left = bytes; left > 0; ) {
    const chunk = await reader.some(left);
    if (chunk === null && ending === 'or less') return;
    if (chunk === null) throw damaged('it is cut off');
    left -= chunk.length;
  }
}
