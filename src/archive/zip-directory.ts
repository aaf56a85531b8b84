import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader } from 'yauzl';
import { asDamage, damaged } from './faults.ts';
import type { ArchiveSource } from './format.ts';
import { Window } from './zip-window.ts';

const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;

/** yauzl's way to the bytes of an archive; it asks for small pieces only, since content is read elsewhere. */
class DirectoryReader extends RandomAccessReader {
  readonly #window: Window;

  constructor(window: Window) {
    super();
    this.#window = window;
  }

  override read(
    into: Buffer,
    offset: number,
    length: number,
    position: number,
    done: (error: Error | null, bytes: number) => void,
  ): void {
    this.#window.read(position, length).then(
      (bytes) => done(null, bytes.copy(into, offset)),
      (error: Error) => done(error, 0),
    );
  }
}

export interface ZipDirectory {
  /** Where the directory begins: all content lies before it. */
  readonly start: number;
  /** In the directory's order, read as they are asked for. @throws invalid_request */
  entries(): AsyncGenerator<Entry>;
}

/** Opens the directory at the end of a zip. @throws invalid_request where there is none */
export async function openDirectory(source: ArchiveSource, signal: AbortSignal): Promise<ZipDirectory> {
  const window = new Window(source, signal);
  try {
    // Undecoded: yauzl judges decoded names by rules of its own, and loses bytes of some.
    const zip = await fromRandomAccessReaderPromise(new DirectoryReader(window), source.size, { decodeStrings: false });
    // Its declared type is wrong.
    const start = Number(zip.readEntryCursor);
    return { start, entries: () => entriesOf(zip.eachEntry(), window, start) };
  } catch (error) {
    throw asDamage(error);
  }
}

async function* entriesOf(all: AsyncIterable<Entry>, window: Window, start: number): AsyncGenerator<Entry> {
  let end = start;
  try {
    for await (const entry of all) {
      end += ENTRY_BYTES + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
      yield entry;
    }
  } catch (error) {
    throw asDamage(error);
  }
  // Whatever follows the directory is longer than a signature.
  const next = await window.read(end, 4);
  if (next.readUInt32LE() === ENTRY_SIGNATURE) throw damaged('its directory holds more entries than it says');
}
