import type { ZipArchive } from 'archiver';
import { encodePath } from '../tree/path.ts';
import type { ArchiveMember } from './format.ts';
import type { Compressed } from './zip-deflater.ts';

/** What archiver's engine asks about an entry when it writes its headers. */
interface EngineEntry {
  getName(): string | Buffer;
  setUnixMode(mode: number): void;
  setMethod(method: number): void;
  setVersionNeededToExtract(version: number): void;
  setSize(size: number): void;
  setCrc(crc: number): void;
  getGeneralPurposeBit(): { useUTF8ForNames(is: boolean): void };
  getLocalFileDataExtra(): Buffer;
  getCentralDirectoryExtra(): Buffer;
}
interface Engine {
  _normalizeEntry(entry: EngineEntry): void;
}

/** A member that archiver was given, and its content where that is compressed already. */
export interface Header {
  readonly member: ArchiveMember;
  readonly content: Compressed | null;
}

const DEFLATED = 8;
const DEFLATED_SINCE = 20;
const TIMES = 0x5455;
const HAS_MODIFIED = 1;
const SYMLINK = 0o120777;

/**
 * Lets archiver write what it has no option for: names as they are, and times to the second with their zone.
 * archiver cuts off what stands in front of a colon, makes slashes of backslashes and replaces bytes that are not
 * UTF-8; the time it writes is even and of no zone. So each entry is given to it under the text of a number, and
 * `headers` tells whose it is; see docs/decisions/0074.
 */
export function correctHeaders(archive: ZipArchive, headers: ReadonlyMap<string, Header>): void {
  // The engine has no public name. The contract suite fails if an update of archiver moves it.
  const { engine } = (archive as unknown as { readonly _module: { readonly engine: Engine } })._module;
  const normalize = engine._normalizeEntry.bind(engine);
  engine._normalizeEntry = (entry) => {
    normalize(entry);
    const header = headers.get(String(entry.getName()).replace('/', ''));
    if (header === undefined) throw new Error('archiver wrote an entry that it was not given');
    const { member, content } = header;
    const name = encodePath(member.kind === 'directory' ? `${member.path}/` : member.path);
    const time = timeField(member.modifiedAt);
    const centralExtra = entry.getCentralDirectoryExtra.bind(entry);
    entry.getGeneralPurposeBit().useUTF8ForNames(member.path.isWellFormed() && name.some((byte) => byte >= 0x80));
    if (member.kind === 'symlink') entry.setUnixMode(SYMLINK);
    if (content?.isDeflated === true) tellDeflated(entry, member, content);
    entry.getName = () => name;
    entry.getLocalFileDataExtra = () => time;
    // A large entry's sizes stand there too.
    entry.getCentralDirectoryExtra = () => Buffer.concat([centralExtra(), time]);
  };
}

/** archiver takes the bytes for a stored file, and asks for the sum of them last. Then it hears what they are. */
function tellDeflated(entry: EngineEntry, member: ArchiveMember, content: Compressed): void {
  const setCrc = entry.setCrc.bind(entry);
  entry.setCrc = () => {
    setCrc(content.crc);
    entry.setSize(member.size);
    entry.setMethod(DEFLATED);
    entry.setVersionNeededToExtract(DEFLATED_SINCE);
  };
}

/** Info-ZIP's "universal time": the modification alone. Nothing for times before 1901 and after 2038. */
function timeField(modifiedAt: Date): Buffer {
  const seconds = Math.floor(modifiedAt.getTime() / 1000);
  if (seconds !== (seconds | 0)) return Buffer.alloc(0);
  const field = Buffer.alloc(9);
  field.writeUInt16LE(TIMES, 0);
  field.writeUInt16LE(5, 2);
  field.writeUInt8(HAS_MODIFIED, 4);
  field.writeInt32LE(seconds, 5);
  return field;
}
