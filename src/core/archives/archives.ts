import { Readable } from 'node:stream';
import type { ArchiveEntry, ArchiveFormat, ArchiveSource } from '../../archive/format.ts';
import { ARCHIVE_FORMATS, formatNamed, formatOfFile, HEAD_BYTES, recogniseFormat } from '../../archive/formats.ts';
import { FsError } from '../../errors.ts';
import type { Entry } from '../../tree/entry.ts';
import { display, type TreePath } from '../../tree/path.ts';
import type { NewAttributes } from '../../tree/staging.ts';
import type { OpenFile } from '../../tree/tree.ts';
import type { Assembly, Expected, ReadVolume, Volume } from '../core.ts';
import { ArchiveEntries, nameOf, refused } from './archive-entries.ts';
import { archiveMembers, select } from './archive-members.ts';

const USUAL_FORMAT = 'zip';
/** An archive may inflate to this many times the bytes that were read of it. */
const MAX_RATIO = 200;
/** Up to this many bytes the ratio is not asked for: they do no harm, and little says nothing. */
const UNRATED_BYTES = 32 * 1024 * 1024;
const SLICE_BYTES = 256 * 1024;
const FILE_MODE = 0o644;
const DIRECTORY_MODE = 0o755;

/** Names of the formats that archives are made in. */
export const PACKED_FORMATS: readonly string[] = ARCHIVE_FORMATS.flatMap(({ name, pack }) =>
  pack === null ? [] : [name],
);

export interface PackWanted {
  /** Files, directories with all that is below them, and links as links. */
  readonly paths: readonly TreePath[];
  /** One of `PACKED_FORMATS`; null is what the name of the archive says, else zip. */
  readonly format: string | null;
  /** 0 (none) to 9 (smallest); null is the format's own default. */
  readonly level: number | null;
  readonly signal: AbortSignal;
}

export interface PackedArchive {
  readonly stream: Readable;
  readonly contentType: string;
  /** The usual ending of such files, with its dot. */
  readonly extension: string;
}

/**
 * An archive of these paths as a stream; nothing of it touches the disk. What is asked for is looked at before this resolves;
 * a failure after that destroys the stream. @throws not_found, special_file, invalid_request (a format that is not made)
 */
export async function packArchive(volume: ReadVolume, wanted: PackWanted): Promise<PackedArchive> {
  const format = formatFor(wanted.format, null);
  const [extension = ''] = format.extensions;
  return { stream: await pack(volume, wanted, format, null), contentType: format.contentType, extension };
}

/**
 * An archive of these paths at `output` of the same volume, where it replaces a file, complete or not at all. What was at
 * `output` before is not packed. @throws as packArchive, and as Volume.write; invalid_request where `output` is asked for itself
 */
export async function storeArchive(
  volume: Volume,
  output: TreePath,
  wanted: PackWanted & { readonly maxFileBytes: number; readonly expected: Expected },
): Promise<{ readonly entry: Entry; readonly format: string }> {
  if (wanted.paths.includes(output)) {
    const path = display(output);
    throw new FsError('invalid_request', `${path} is to be the archive, so it cannot be in it as well`, { path });
  }
  const format = formatFor(wanted.format, output);
  const archive = await pack(volume, wanted, format, output);
  try {
    const { maxFileBytes: maxBytes, expected } = wanted;
    return { entry: await volume.write(output, archive, { mode: 'upsert', maxBytes, expected }), format: format.name };
  } finally {
    archive.destroy();
  }
}

function formatFor(name: string | null, output: TreePath | null): ArchiveFormat {
  if (name !== null) return formatNamed(name);
  return (output === null ? null : formatOfFile(output)) ?? formatNamed(USUAL_FORMAT);
}

async function pack(
  volume: ReadVolume,
  { paths, level, signal }: PackWanted,
  format: ArchiveFormat,
  except: TreePath | null,
): Promise<Readable> {
  if (format.pack === null) throw new FsError('invalid_request', `${format.name} archives are only read, not made`);
  const selection = await select(volume, paths);
  return format.pack(archiveMembers(volume, selection, { except, signal }), { level, signal });
}

export interface ExtractWanted {
  /** Where the archive is, in the same volume. */
  readonly archive: TreePath;
  /** A directory; made where it is missing. */
  readonly destination: TreePath;
  /** Files there may be replaced; a directory never is. */
  readonly overwrite: boolean;
  /** Of one file. */
  readonly maxFileBytes: number;
  readonly signal: AbortSignal;
}

export interface Extracted {
  /** Files and links, without directories. */
  readonly files: number;
  readonly bytes: number;
}

/**
 * Extracts an archive, whatever its name says it is. All of it is made beside the tree and then put in place: a failure at
 * any point leaves nothing.
 * @throws not_found, is_directory, symlink, special_file; invalid_request (no archive, damaged, or an entry is refused),
 * too_large (one file), exists, conflict, quota_exceeded
 */
export async function extractArchive(volume: Volume, wanted: ExtractWanted): Promise<Extracted> {
  const file = await volume.open(wanted.archive);
  try {
    const assembly = await volume.assembly(wanted.destination, wanted.signal);
    try {
      const extraction = new Extraction(assembly, file, wanted);
      const extracted = await extraction.run();
      wanted.signal.throwIfAborted();
      await assembly.commit({ overwrite: wanted.overwrite, keep: wanted.archive });
      return extracted;
    } catch (error) {
      await assembly.abort();
      throw error;
    }
  } finally {
    await file.close();
  }
}

/** One archive on its way into an assembly, and how much was read and made of it. */
class Extraction {
  readonly #assembly: Assembly;
  readonly #file: OpenFile;
  readonly #wanted: ExtractWanted;
  readonly #entries = new ArchiveEntries();
  #read = 0;
  #inflated = 0;
  #files = 0;

  constructor(assembly: Assembly, file: OpenFile, wanted: ExtractWanted) {
    this.#assembly = assembly;
    this.#file = file;
    this.#wanted = wanted;
  }

  async run(): Promise<Extracted> {
    const source: ArchiveSource = { size: this.#file.entry.size, stream: (range) => this.#stream(range) };
    const format = recogniseFormat(await this.#file.slice(0, Math.min(HEAD_BYTES, source.size)));
    for await (const entry of format.unpack(source, this.#wanted.signal)) await this.#extract(entry);
    for (const { path, target } of this.#entries.links()) await this.#assembly.symlink(path, target);
    return { files: this.#files, bytes: this.#inflated };
  }

  /** Counts what is read. An archive that is read twice in places does not gain by it. */
  #stream({ start, end } = { start: 0, end: this.#file.entry.size - 1 }): Readable {
    const slices = async function* (this: Extraction): AsyncGenerator<Buffer> {
      for (let at = start; at <= end; at += SLICE_BYTES) {
        const slice = await this.#file.slice(at, Math.min(SLICE_BYTES, end + 1 - at));
        this.#read = Math.min(this.#read + slice.length, this.#file.entry.size);
        yield slice;
      }
    };
    return Readable.from(slices.call(this), { objectMode: false, highWaterMark: SLICE_BYTES });
  }

  async #extract(entry: ArchiveEntry): Promise<void> {
    const admitted = this.#entries.admit(entry);
    if (admitted === null) return;
    const { path, what, parents } = admitted;
    for (const dir of parents) await this.#assembly.mkdir(dir, { mode: DIRECTORY_MODE, modifiedAt: null });
    const attributes: NewAttributes = {
      mode: entry.mode ?? (what === 'directory' ? DIRECTORY_MODE : FILE_MODE),
      modifiedAt: entry.modifiedAt,
    };
    if (what === 'directory') return this.#assembly.mkdir(path, attributes);
    this.#files += 1;
    if (what === 'link') return;
    const options = { ...attributes, onBytes: this.#metre(entry) };
    if (what === 'file') await this.#assembly.write(path, await entry.open(), options);
    else await this.#assembly.copy(what.copyOf, path, options);
  }

  /** Told of each further bytes that an entry really has. */
  #metre(entry: ArchiveEntry): (bytes: number) => void {
    const { maxFileBytes } = this.#wanted;
    let size = 0;
    return (bytes) => {
      size += bytes;
      this.#inflated += bytes;
      if (size > maxFileBytes) throw tooLarge(entry, maxFileBytes);
      if (this.#inflated > UNRATED_BYTES && this.#inflated > MAX_RATIO * this.#read) {
        throw refused(entry, `inflates the archive to more than ${MAX_RATIO} times its size`);
      }
    };
  }
}

function tooLarge(entry: ArchiveEntry, maxFileBytes: number): FsError {
  const path = nameOf(entry);
  return new FsError(
    'too_large',
    `the archive's entry "${path}" is larger than the ${maxFileBytes} bytes of one file here`,
    {
      path,
      limit: maxFileBytes,
    },
  );
}
