import type { Entry } from 'yauzl';
import { decodeName, display } from '../tree/path.ts';
import { damaged } from './faults.ts';
import type { ArchiveEntry, ArchiveSource } from './format.ts';
import { DEFLATED, type Located, openContent, STORED } from './zip-content.ts';
import { openDirectory } from './zip-directory.ts';
import { kindOf, modeOf, modifiedAtOf, nameOf } from './zip-facts.ts';
import { Ranges } from './zip-ranges.ts';
import { Window } from './zip-window.ts';

const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** The longest path of Linux; also its longest link. */
const MAX_TARGET_BYTES = 4096;

const METHODS: Readonly<Record<number, string>> = {
  6: 'Implode',
  9: 'Deflate64',
  12: 'bzip2',
  14: 'LZMA',
  93: 'Zstandard',
  95: 'xz',
  98: 'PPMd',
  99: 'AES encryption',
};

/** The entries of a zip, by the directory at its end. @throws invalid_request, also for encrypted ones */
export async function* unpackZip(source: ArchiveSource, signal: AbortSignal): AsyncGenerator<ArchiveEntry> {
  const directory = await openDirectory(source, signal);
  const window = new Window(source, signal);
  const ranges = new Ranges(directory.start);
  for await (const entry of directory.entries()) {
    signal.throwIfAborted();
    demandReadable(entry);
    const located = await locate(entry, window);
    ranges.add(entry.relativeOffsetOfLocalHeader, located.start + entry.compressedSize);
    const open = () => openContent(source, window, located, signal);
    const kind = kindOf(entry);
    yield {
      name: nameOf(entry),
      kind,
      size: entry.uncompressedSize,
      target: kind === 'symlink' ? await targetOf(entry, open) : null,
      mode: modeOf(entry),
      modifiedAt: modifiedAtOf(entry),
      open,
    };
  }
  ranges.demandApart();
}

function demandReadable(entry: Entry): void {
  if (entry.isEncrypted()) throw damaged(`${shown(entry)} is encrypted; pack it again without a password`);
  const method = entry.compressionMethod;
  if (method === STORED || method === DEFLATED) return;
  const name = METHODS[method] ?? `method ${method}`;
  throw damaged(`${shown(entry)} is compressed with ${name}; only stored and deflated entries are read`);
}

function shown(entry: Entry): string {
  return display(decodeName(nameOf(entry)));
}

/** An entry has a header of its own in front of its content, of which only the length matters. */
async function locate(entry: Entry, window: Window): Promise<Located> {
  const at = entry.relativeOffsetOfLocalHeader;
  const header = await window.read(at, LOCAL_BYTES);
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE) throw damaged('its directory points to something that is no entry');
  return { entry, start: at + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28) };
}

async function targetOf(entry: Entry, open: ArchiveEntry['open']): Promise<Buffer> {
  if (entry.uncompressedSize > MAX_TARGET_BYTES) throw damaged(`${shown(entry)} is a link with too long a target`);
  return Buffer.concat(await (await open()).toArray());
}
