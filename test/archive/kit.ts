import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import type { ArchiveFormat, ArchiveMember, ArchiveSource } from '../../src/archive/format.ts';
import { decodeName, parsePath, pathFromBytes, type TreePath } from '../../src/tree/path.ts';

export const MODIFIED_AT = new Date('2024-03-05T06:07:09Z');
export const never = new AbortController().signal;

type Given = Partial<Pick<ArchiveMember, 'mode' | 'modifiedAt' | 'size' | 'open'>>;
const at = (path: string | Buffer): TreePath => (typeof path === 'string' ? parsePath(path) : pathFromBytes(path));

export function file(path: string | Buffer, content: string | Buffer = '', given: Given = {}): ArchiveMember {
  const bytes = Buffer.from(content);
  const open = async () => Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false });
  const facts = { kind: 'file', size: bytes.length, target: null, mode: 0o644, modifiedAt: MODIFIED_AT, open } as const;
  return { ...facts, path: at(path), ...given };
}

export function directory(path: string, given: Given = {}): ArchiveMember {
  return { ...file(path), kind: 'directory', mode: 0o755, ...given };
}

export function symlink(path: string | Buffer, target: string | Buffer): ArchiveMember {
  const text = typeof target === 'string' ? target : decodeName(target);
  return { ...file(path), kind: 'symlink', mode: 0o777, target: text };
}

/** The members one after another, and whether whoever took them gave them back. */
export function listed(members: Iterable<ArchiveMember>): AsyncIterable<ArchiveMember> & { readonly isEnded: boolean } {
  let isEnded = false;
  return {
    get isEnded() {
      return isEnded;
    },
    async *[Symbol.asyncIterator]() {
      try {
        yield* members;
      } finally {
        isEnded = true;
      }
    },
  };
}

export function pack(
  format: ArchiveFormat,
  members: AsyncIterable<ArchiveMember>,
  level: number | null = null,
): Readable {
  if (format.pack === null) throw new Error(`${format.name} is only read`);
  return format.pack(members, { level, signal: never });
}

export async function packed(
  format: ArchiveFormat,
  members: Iterable<ArchiveMember>,
  level: number | null = null,
): Promise<Buffer> {
  return Buffer.concat(await pack(format, listed(members), level).toArray());
}

/** An archive in memory, and the streams of it that are still open. */
export function sourceOf(bytes: Buffer): ArchiveSource & { readonly open: ReadonlySet<Readable> } {
  const open = new Set<Readable>();
  return {
    size: bytes.length,
    open,
    stream({ start, end } = { start: 0, end: bytes.length - 1 }) {
      const slices = function* () {
        for (let from = start; from <= end; from += 65536) yield bytes.subarray(from, Math.min(end + 1, from + 65536));
      };
      const stream = Readable.from(slices(), { objectMode: false });
      open.add(stream);
      return stream.once('close', () => open.delete(stream));
    },
  };
}

/** What was found of one entry, in a form that tests can write down. */
export interface Seen {
  readonly name: string;
  readonly kind: string;
  readonly size: number | null;
  readonly target: string | null;
  readonly mode: string | null;
  readonly modifiedAt: string | null;
  readonly content: string | null;
}

/** Everything in an archive, read to its end. Text as latin1 where it is no UTF-8. */
export async function unpacked(format: ArchiveFormat, source: ArchiveSource | Buffer): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const archive = Buffer.isBuffer(source) ? sourceOf(source) : source;
  for await (const entry of format.unpack(archive, never)) {
    const content = entry.kind === 'file' ? Buffer.concat(await (await entry.open()).toArray()) : null;
    seen.push({
      name: readable(entry.name),
      kind: entry.kind,
      size: entry.kind === 'file' ? entry.size : null,
      target: entry.target === null ? null : readable(entry.target),
      mode: entry.mode?.toString(8) ?? null,
      modifiedAt: entry.modifiedAt?.toISOString() ?? null,
      content: content === null ? null : readable(content),
    });
  }
  return seen;
}

export function readable(bytes: Buffer): string {
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : bytes.toString('latin1');
}

/** A tar as the named format holds it. */
export function compressed(format: ArchiveFormat, tar: Buffer): Buffer {
  if (format.name === 'tar.gz') return gzipSync(tar);
  return format.name === 'tar.zst' ? zstdCompressSync(tar) : tar;
}
