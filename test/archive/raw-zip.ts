import { crc32, deflateRawSync } from 'node:zlib';

/** An entry of a zip made by hand. What is not given is as an honest tool on Unix would have it. */
export interface RawEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** As it lies in the archive, where that is not the content. */
  readonly raw?: Buffer;
  readonly method?: number;
  readonly flags?: number;
  readonly crc?: number;
  readonly size?: number;
  readonly compressedSize?: number;
  readonly madeBy?: number;
  /** The upper half of the external attributes: Unix type and mode. */
  readonly unixMode?: number;
  readonly extra?: Buffer;
  readonly localExtra?: Buffer;
  /** Has no header and no content of its own: the directory points to those of another. */
  readonly offset?: number;
  /** The date of DOS; 2024-03-05. */
  readonly dosDate?: number;
  /** Sizes and checksum follow the content, as of a zip that was streamed. */
  readonly isStreamed?: boolean;
}

export interface RawEnd {
  readonly count?: number;
  readonly comment?: Buffer;
  readonly disk?: number;
  /** What the end claims about where the directory begins, from its true place. */
  readonly shift?: number;
  readonly trailing?: Buffer;
  /** Appended to the directory. */
  readonly surplus?: Buffer;
}

export function rawZip(entries: readonly RawEntry[], end: RawEnd = {}): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const facts = factsOf(entry);
    central.push(centralHeader(entry, facts, entry.offset ?? offset));
    if (entry.offset !== undefined) continue;
    const local = localRecord(entry, facts);
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat([...central, end.surplus ?? Buffer.alloc(0)]);
  const comment = end.comment ?? Buffer.alloc(0);
  const record = Buffer.alloc(22);
  record.writeUInt32LE(0x06054b50, 0);
  record.writeUInt16LE(end.disk ?? 0, 4);
  record.writeUInt16LE(end.count ?? entries.length, 8);
  record.writeUInt16LE(end.count ?? entries.length, 10);
  record.writeUInt32LE(directory.length, 12);
  record.writeUInt32LE(offset + (end.shift ?? 0), 16);
  record.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, directory, record, comment, end.trailing ?? Buffer.alloc(0)]);
}

interface Facts {
  readonly name: Buffer;
  readonly raw: Buffer;
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly size: number;
  readonly compressedSize: number;
}

function factsOf(entry: RawEntry): Facts {
  const content = Buffer.from(entry.content ?? '');
  const method = entry.method ?? 0;
  const raw = entry.raw ?? (method === 8 ? deflateRawSync(content) : content);
  return {
    name: Buffer.from(entry.name),
    raw,
    method,
    flags: (entry.flags ?? 0) | (entry.isStreamed === true ? 8 : 0),
    crc: entry.crc ?? crc32(content),
    size: entry.size ?? content.length,
    compressedSize: entry.compressedSize ?? raw.length,
  };
}

function localRecord(entry: RawEntry, facts: Facts): Buffer {
  const extra = entry.localExtra ?? Buffer.alloc(0);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  common(header, 4, facts, entry, entry.isStreamed === true);
  header.writeUInt16LE(facts.name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  const descriptor = Buffer.alloc(entry.isStreamed === true ? 16 : 0);
  if (descriptor.length > 0) {
    descriptor.writeUInt32LE(0x08074b50, 0);
    sizes(descriptor, 4, facts);
  }
  return Buffer.concat([header, facts.name, extra, facts.raw, descriptor]);
}

function centralHeader(entry: RawEntry, facts: Facts, offset: number): Buffer {
  const extra = entry.extra ?? Buffer.alloc(0);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(((entry.madeBy ?? 3) << 8) | 20, 4);
  common(header, 6, facts, entry, false);
  header.writeUInt16LE(facts.name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(((entry.unixMode ?? 0o100644) << 16) >>> 0, 38);
  header.writeUInt32LE(offset, 42);
  return Buffer.concat([header, facts.name, extra]);
}

/** What both headers have, from "version needed" to the sizes. */
function common(header: Buffer, at: number, facts: Facts, entry: RawEntry, isEmpty: boolean): void {
  header.writeUInt16LE(20, at);
  header.writeUInt16LE(facts.flags, at + 2);
  header.writeUInt16LE(facts.method, at + 4);
  header.writeUInt16LE(entry.dosDate ?? 0x5865, at + 8);
  if (!isEmpty) sizes(header, at + 10, facts);
}

function sizes(into: Buffer, at: number, facts: Facts): void {
  into.writeUInt32LE(facts.crc, at);
  into.writeUInt32LE(facts.compressedSize, at + 4);
  into.writeUInt32LE(facts.size, at + 8);
}

/** One field of an entry's extra data. */
export function extraField(id: number, data: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(id, 0);
  head.writeUInt16LE(data.length, 2);
  return Buffer.concat([head, data]);
}
