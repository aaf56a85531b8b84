import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { encodePath } from '../tree/path.ts';
import type { ArchiveMember, PackOptions } from './format.ts';
import { contentOf } from './member-content.ts';
import { produced } from './produced.ts';
import { encodeHeader, MAX_OCTAL, NAME_BYTES, paddingOf, TAR_BLOCK, type TarHeader } from './tar-header.ts';
import { encodePax } from './tar-pax.ts';

const TYPES = { file: '0', symlink: '2', directory: '5' } as const;

/** A tar as POSIX has it: pax headers only where a name, a size or a time does not fit the plain one. */
export function packTar(members: AsyncIterable<ArchiveMember>, { signal }: PackOptions): Readable {
  return produced(async (sink, stopped) => {
    for await (const member of members) {
      stopped.throwIfAborted();
      for (const block of headersOf(member)) await sink.write(block);
      if (member.kind !== 'file') continue;
      for await (const chunk of contentOf(member, stopped)) await sink.write(chunk);
      await sink.write(Buffer.alloc(paddingOf(member.size)));
    }
    await sink.write(Buffer.alloc(2 * TAR_BLOCK));
  }, signal);
}

function headersOf(member: ArchiveMember): readonly Buffer[] {
  const seconds = Math.floor(member.modifiedAt.getTime() / 1000);
  const path = encodePath(member.kind === 'directory' ? `${member.path}/` : member.path);
  const target = encodePath(member.target ?? '');
  const size = member.kind === 'file' ? member.size : 0;
  const records = new Map<string, Buffer>([
    ...bytesRecord('path', path),
    ...bytesRecord('linkpath', target),
    ...numberRecord('size', size),
    ...numberRecord('mtime', seconds),
  ]);
  const header: TarHeader = {
    name: path,
    mode: member.mode & 0o777,
    size: within(size),
    mtime: within(seconds),
    type: TYPES[member.kind],
    linkname: target,
  };
  return [...extended(header, records), encodeHeader(header)];
}

function extended(header: TarHeader, records: ReadonlyMap<string, Buffer>): readonly Buffer[] {
  if (records.size === 0) return [];
  const isText = [...records.values()].every(isUtf8);
  // Readers take the values as UTF-8 unless they are told.
  const content = encodePax(isText ? records : new Map([['hdrcharset', Buffer.from('BINARY')], ...records]));
  const name = Buffer.from('PaxHeader');
  const block = encodeHeader({ ...header, name, mode: 0o644, size: content.length, type: 'x', linkname: Buffer.of() });
  return [block, content, Buffer.alloc(paddingOf(content.length))];
}

/** Bytes that are not UTF-8 stay in the plain header, where every reader takes them as they are, if they fit. */
function bytesRecord(key: string, value: Buffer): readonly [string, Buffer][] {
  const isPlain = value.length <= NAME_BYTES && (value.every((byte) => byte < 0x80) || !isUtf8(value));
  return isPlain ? [] : [[key, value]];
}

function numberRecord(key: string, value: number): readonly [string, Buffer][] {
  return within(value) === value ? [] : [[key, Buffer.from(String(value))]];
}

/** What a plain header says of a number that it cannot hold: nothing. */
function within(value: number): number {
  return value >= 0 && value <= MAX_OCTAL ? value : 0;
}
