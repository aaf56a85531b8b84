import { once } from 'node:events';
import { Readable } from 'node:stream';
import { ZipArchive } from 'archiver';
import { encodePath } from '../tree/path.ts';
import type { ArchiveMember, PackOptions } from './format.ts';
import { contentOf } from './member-content.ts';
import { BLOCK_BYTES, produced, type Sink } from './produced.ts';
import { type Compressed, Deflaters, SMALL_BYTES, stored } from './zip-deflater.ts';
import { correctHeaders, type Header } from './zip-headers.ts';

const DEFAULT_LEVEL = 6;
/** So many small members are compressed, or wait to be written, while the next is read. */
const AHEAD = 4;
const LOCAL_HEADER_BYTES = 30;

/** A zip made by archiver, its headers corrected. */
export function packZip(members: AsyncIterable<ArchiveMember>, options: PackOptions): Readable {
  const level = options.level ?? DEFAULT_LEVEL;
  return produced(async (sink, stopped) => {
    const archive = new ZipArchive({
      highWaterMark: BLOCK_BYTES,
      zlib: { level, memLevel: 9, chunkSize: BLOCK_BYTES },
    });
    const deflaters = new Deflaters(level);
    try {
      const feed = new Feed(archive, deflaters, level, stopped);
      const [, drained] = await Promise.allSettled([
        feed.all(members).catch((error) => archive.destroy(error)),
        drain(archive, sink, feed),
      ]);
      if (drained.status === 'rejected') throw drained.reason;
    } finally {
      archive.destroy();
      deflaters.close();
    }
  }, options.signal);
}

async function drain(archive: ZipArchive, sink: Sink, feed: Feed): Promise<void> {
  try {
    for await (const chunk of archive) {
      await sink.write(chunk);
      feed.taken(chunk.length);
    }
  } finally {
    feed.taken(Number.POSITIVE_INFINITY);
  }
}

/** Gives members to archiver in their order: large ones as streams, the others compressed already. */
class Feed {
  readonly #archive: ZipArchive;
  readonly #deflaters: Deflaters;
  readonly #level: number;
  readonly #stopped: AbortSignal;
  /** What archiver has been given and not written yet, by the names it knows them by. */
  readonly #headers = new Map<string, Header>();
  readonly #compressing: { readonly member: ArchiveMember; readonly content: Promise<Compressed> }[] = [];
  #count = 0;
  /** Bytes, at least, that archiver holds: it takes whole files at once, and never says that they are too many. */
  #held = 0;
  #wake: () => void = () => undefined;

  constructor(archive: ZipArchive, deflaters: Deflaters, level: number, stopped: AbortSignal) {
    this.#archive = archive;
    this.#deflaters = deflaters;
    this.#level = level;
    this.#stopped = stopped;
    correctHeaders(archive, this.#headers);
    archive.on('entry', ({ name }) => this.#headers.delete(name.replace('/', '')));
  }

  async all(members: AsyncIterable<ArchiveMember>): Promise<void> {
    for await (const member of members) {
      this.#stopped.throwIfAborted();
      if (member.size > SMALL_BYTES) await this.#appendLarge(member);
      else await this.#compress(member);
    }
    await this.#appendCompressed(0);
    this.#archive.finalize().catch((error) => this.#archive.destroy(error));
  }

  /** To be told how many bytes of the archive have found a reader. */
  taken(bytes: number): void {
    this.#held = Math.max(0, this.#held - bytes);
    this.#wake();
  }

  async #compress(member: ArchiveMember): Promise<void> {
    const bytes = await this.#smallContent(member);
    const isFile = member.kind === 'file';
    const content = isFile ? this.#deflaters.compress(bytes) : Promise.resolve(stored(bytes));
    // It is awaited when its turn comes, if nothing fails before.
    content.catch(() => undefined);
    this.#compressing.push({ member, content });
    await this.#appendCompressed(AHEAD);
  }

  /** Appends them until no more than `left` are left. */
  async #appendCompressed(left: number): Promise<void> {
    while (this.#compressing.length > left) {
      const next = this.#compressing.shift();
      if (next === undefined) return;
      const content = await next.content;
      this.#held += LOCAL_HEADER_BYTES + next.member.path.length + content.bytes.length;
      await this.#append(next.member, { content }, content.bytes, AHEAD);
      while (this.#held > SMALL_BYTES) await this.#reader();
    }
  }

  async #reader(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#stopped.throwIfAborted();
  }

  async #appendLarge(member: ArchiveMember): Promise<void> {
    await this.#appendCompressed(0);
    const content = contentOf(member, this.#stopped);
    const stream = Readable.from(content, { objectMode: false, highWaterMark: BLOCK_BYTES });
    // archiver does not look at a stream's errors, so they end the whole.
    stream.on('error', (error) => this.#archive.destroy(error));
    await this.#append(member, { content: null }, stream, 1);
  }

  async #append(
    member: ArchiveMember,
    { content }: Pick<Header, 'content'>,
    source: Buffer | Readable,
    most: number,
  ): Promise<void> {
    const name = String(this.#count++);
    this.#headers.set(name, { member, content });
    this.#archive.append(source, {
      name,
      date: member.modifiedAt,
      mode: member.mode & 0o777,
      type: member.kind === 'directory' ? 'directory' : 'file',
      store: content !== null || this.#level === 0,
    });
    while (this.#headers.size >= most) await once(this.#archive, 'entry', { signal: this.#stopped });
  }

  async #smallContent(member: ArchiveMember): Promise<Buffer> {
    // A link's content is what it points to.
    if (member.kind === 'symlink') return encodePath(member.target ?? '');
    const parts: Buffer[] = [];
    if (member.kind === 'file') for await (const part of contentOf(member, this.#stopped)) parts.push(part);
    return Buffer.concat(parts);
  }
}
