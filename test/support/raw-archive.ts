import { crc32, deflateRawSync } from 'node:zlib';

/** An entry as somebody wrote it who keeps to no rule. */
export interface RawEntry {
  readonly name: string | Buffer;
  readonly kind?: 'file' | 'directory' | 'symlink' | 'hardlink' | 'character device' | 'block device' | 'fifo';
  readonly content?: string | Buffer;
  /** Of links. */
  readonly target?: string;
  readonly mode?: number;
  /** As it lies in a zip, where it is too large to be compressed here. */
  readonly deflated?: Buffer;
  /** The size it claims to have, where that is a lie. */
  readonly claims?: number;
}

const TAR_TYPES = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character device': '3',
  'block device': '4',
  directory: '5',
  fifo: '6',
} as const;
const BLOCK = 512;
const MODIFIED_AT = 1_600_000_000;

const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);

function tarHeader(name: Buffer, type: string, size: number, target: Buffer, mode: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  name.copy(header, 0, 0, 100);
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  header.write(`0000000\0${'0000000\0'}${size.toString(8).padStart(11, '0')}\0${MODIFIED_AT.toString(8)}\0`, 108);
  header.write('        ', 148);
  header.write(type, 156);
  target.copy(header, 157, 0, 100);
  header.write('ustar\x0000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** One pax record; its length counts itself. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** A tar of these entries, in this order. What does not fit a plain header, or has a NUL, comes as a pax record. */
export function rawTar(entries: readonly RawEntry[]): Buffer {
  const blocks = entries.flatMap(({ name, kind = 'file', content = '', target = '', mode = 0o644, claims }) => {
    const [bytes, path, link] = [Buffer.from(content), Buffer.from(name), Buffer.from(target)];
    const records = [
      ...(path.length > 100 || path.includes(0) ? [record('path', path)] : []),
      ...(link.length > 100 || link.includes(0) ? [record('linkpath', link)] : []),
    ];
    const extended = Buffer.concat(records);
    const none = Buffer.alloc(0);
    return [
      ...(records.length > 0
        ? [tarHeader(Buffer.from('pax'), 'x', extended.length, none, 0o644), padded(extended)]
        : []),
      tarHeader(path, TAR_TYPES[kind], claims ?? bytes.length, link, mode),
      padded(bytes),
    ];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

const ZIP_TYPES = { file: 0o100000, symlink: 0o120000, directory: 0o040000, fifo: 0o010000 } as const;

function zipHeaders(entry: RawEntry, offset: number): { local: Buffer; central: Buffer } {
  const { kind = 'file', content = '', target = '', mode = 0o644 } = entry;
  if (kind !== 'file' && kind !== 'symlink' && kind !== 'directory' && kind !== 'fifo')
    throw new Error(`no ${kind} in a zip`);
  const name = Buffer.from(entry.name);
  const bytes = Buffer.from(kind === 'symlink' ? target : content);
  const data = entry.deflated ?? deflateRawSync(bytes);
  const facts = Buffer.alloc(26);
  facts.writeUInt16LE(20, 0);
  facts.writeUInt16LE(0x800, 2);
  facts.writeUInt16LE(8, 4);
  facts.writeUInt16LE(0x21, 8);
  facts.writeUInt32LE(crc32(bytes), 10);
  facts.writeUInt32LE(data.length, 14);
  facts.writeUInt32LE(entry.claims ?? bytes.length, 18);
  facts.writeUInt16LE(name.length, 22);
  const more = Buffer.alloc(14);
  more.writeUInt32LE(((ZIP_TYPES[kind] | mode) << 16) >>> 0, 6);
  more.writeUInt32LE(offset, 10);
  return {
    local: Buffer.concat([Buffer.from('PK\x03\x04'), facts, name, data]),
    central: Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), facts, more, name]),
  };
}

/** A zip of these entries, in this order. */
export function rawZip(entries: readonly RawEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { local, central } = zipHeaders(entry, offset);
    locals.push(local);
    centrals.push(central);
    offset += local.length;
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}
