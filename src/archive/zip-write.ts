import { once } from 'node:events';
import { Readable } from 'node:stream';
import { constants } from 'node:zlib';
import { ZipArchive } from 'archiver';
import { encodePath } from '../tree/path.ts';
import type { ArchiveMember, PackOptions } from './format.ts';
import { contentOf } from './member-content.ts';
import { BLOCK_BYTES, produced, type Sink } from './produced.ts';
import { correctHeaders } from './zip-headers.ts';

/** So many small members are read while the ones before them are compressed. */
const AHEAD = 4;

/** A zip made by archiver, its headers corrected. */
export function packZip(members: AsyncIterable<ArchiveMember>, { level, signal }: PackOptions): Readable {
  return produced((sink, stopped) => write(members, level, sink, stopped), signal);
}

async function write(
  members: AsyncIterable<ArchiveMember>,
  level: number | null,
  sink: Sink,
  stopped: AbortSignal,
): Promise<void> {
  const archive = new ZipArchive({
    highWaterMark: BLOCK_BYTES,
    zlib: { level: level ?? constants.Z_DEFAULT_COMPRESSION, memLevel: 9, chunkSize: BLOCK_BYTES / 4 },
  });
  try {
    const [fed, drained] = await Promise.allSettled([
      feed(archive, members, level, stopped).catch((error) => archive.destroy(error)),
      drain(archive, sink),
    ]);
    for (const end of [fed, drained]) if (end.status === 'rejected') throw end.reason;
  } finally {
    archive.destroy();
  }
}

async function drain(archive: ZipArchive, sink: Sink): Promise<void> {
  for await (const chunk of archive) await sink.write(chunk);
}

async function feed(
  archive: ZipArchive,
  members: AsyncIterable<ArchiveMember>,
  level: number | null,
  stopped: AbortSignal,
): Promise<void> {
  const pending = new Map<string, ArchiveMember>();
  correctHeaders(archive, pending);
  archive.on('entry', ({ name }) => pending.delete(name.replace('/', '')));
  let count = 0;
  for await (const member of members) {
    stopped.throwIfAborted();
    const name = String(count++);
    pending.set(name, member);
    const isSmall = member.size <= BLOCK_BYTES;
    const content = isSmall ? await smallContent(member, stopped) : largeContent(archive, member, stopped);
    archive.append(content, {
      name,
      date: member.modifiedAt,
      mode: member.mode & 0o777,
      // A link's content is what it points to. As archiver's own kind of link that would have to be text.
      type: member.kind === 'directory' ? 'directory' : 'file',
      store: member.kind !== 'file' || level === 0,
    });
    while (pending.size >= (isSmall ? AHEAD : 1)) await once(archive, 'entry', { signal: stopped });
  }
  archive.finalize().catch((error) => archive.destroy(error));
}

async function smallContent(member: ArchiveMember, stopped: AbortSignal): Promise<Buffer> {
  if (member.kind === 'symlink') return encodePath(member.target ?? '');
  if (member.kind === 'directory') return Buffer.alloc(0);
  const parts: Buffer[] = [];
  for await (const part of contentOf(member, stopped)) parts.push(part);
  return Buffer.concat(parts);
}

/** archiver does not look at a stream's errors, so they end the whole. */
function largeContent(archive: ZipArchive, member: ArchiveMember, stopped: AbortSignal): Readable {
  const content = Readable.from(contentOf(member, stopped), { objectMode: false, highWaterMark: BLOCK_BYTES });
  return content.on('error', (error) => archive.destroy(error));
}
