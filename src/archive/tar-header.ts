import { damaged } from './faults.ts';

/** Everything in a tar comes in blocks of this size. */
export const TAR_BLOCK = 512;

/** One header block, as it stands; long names and sizes may follow in other blocks. */
export interface TarHeader {
  readonly name: Buffer;
  readonly mode: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** One character: '0' is a file, '5' a directory, 'x' a pax header, and so on. */
  readonly type: string;
  readonly linkname: Buffer;
}

const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  prefix: [345, 155],
} as const satisfies Record<string, readonly [at: number, length: number]>;
type Field = keyof typeof FIELDS;

const POSIX_MAGIC = Buffer.from('ustar\x0000', 'latin1');
const SPACE = 0x20;

export const NAME_BYTES = FIELDS.name[1];
/** The largest number that fits the twelve bytes of a size or a time in octal. */
export const MAX_OCTAL = 0o77777777777;

/** Bytes from `length` up to the end of its last block. */
export function paddingOf(length: number): number {
  return (TAR_BLOCK - (length % TAR_BLOCK)) % TAR_BLOCK;
}

/** True for a block that carries the checksum of a tar header. */
export function isHeader(block: Buffer): boolean {
  if (block.length < TAR_BLOCK) return false;
  const claimed = octal(field(block, 'checksum'));
  const sums = checksums(block);
  return claimed !== null && sums.includes(claimed);
}

/** @throws invalid_request where the checksum or a number is wrong */
export function decodeHeader(block: Buffer): TarHeader {
  if (!isHeader(block)) throw damaged('a header has a wrong checksum; the archive is damaged or not a tar');
  const prefix = isPosix(block) ? text(block, 'prefix') : Buffer.alloc(0);
  const name = text(block, 'name');
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    mode: number(block, 'mode') & 0o777,
    size: sizeOf(block),
    mtime: number(block, 'mtime'),
    type: block.toString('latin1', FIELDS.type[0], FIELDS.type[0] + 1),
    linkname: text(block, 'linkname'),
  };
}

/** A POSIX header block. What does not fit its field is cut off: say it in a pax header before. Owner is always 0. */
export function encodeHeader(header: TarHeader): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  put(block, 'name', header.name);
  put(block, 'mode', digits(header.mode, 7));
  put(block, 'uid', digits(0, 7));
  put(block, 'gid', digits(0, 7));
  put(block, 'size', digits(header.size, 11));
  put(block, 'mtime', digits(header.mtime, 11));
  put(block, 'type', Buffer.from(header.type, 'latin1'));
  put(block, 'linkname', header.linkname);
  put(block, 'magic', POSIX_MAGIC);
  put(block, 'checksum', Buffer.from(`${checksums(block)[0].toString(8).padStart(6, '0')}\0 `, 'latin1'));
  return block;
}

function isPosix(block: Buffer): boolean {
  return field(block, 'magic').subarray(0, 6).equals(POSIX_MAGIC.subarray(0, 6));
}

function sizeOf(block: Buffer): number {
  const size = number(block, 'size');
  if (size < 0) throw damaged('a header claims a size below zero');
  return size;
}

function field(block: Buffer, name: Field): Buffer {
  const [at, length] = FIELDS[name];
  return block.subarray(at, at + length);
}

function put(block: Buffer, name: Field, value: Buffer): void {
  const [at, length] = FIELDS[name];
  value.copy(block, at, 0, length);
}

/** The bytes of a field up to its first NUL, in memory of their own: the block belongs to a larger read. */
function text(block: Buffer, name: Field): Buffer {
  const all = field(block, name);
  const end = all.indexOf(0);
  return Buffer.from(end < 0 ? all : all.subarray(0, end));
}

function number(block: Buffer, name: Field): number {
  const bytes = field(block, name);
  const value = (bytes[0] ?? 0) & 0x80 ? binary(bytes) : octal(bytes);
  if (value === null || !Number.isSafeInteger(value)) throw damaged(`a header has no number where its ${name} belongs`);
  return value;
}

function octal(bytes: Buffer): number | null {
  const digits = bytes.toString('latin1').replace(/^[ \0]+|[ \0].*$/gs, '');
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : null;
}

/** GNU's numbers of any size: the first bit is set, the next is the sign, the rest is in two's complement. */
function binary(bytes: Buffer): number {
  const bits = BigInt(bytes.length * 8 - 1);
  return Number(BigInt.asIntN(Number(bits), BigInt(`0x${bytes.toString('hex')}`)));
}

function digits(value: number, width: number): Buffer {
  return Buffer.from(`${value.toString(8).padStart(width, '0')}\0`, 'latin1');
}

/** The sum of all bytes with the checksum's own taken as spaces; some old tars added them up as signed ones. */
function checksums(block: Buffer): readonly [unsigned: number, signed: number] {
  const [at, length] = FIELDS.checksum;
  let unsigned = 0;
  let signed = 0;
  for (let index = 0; index < TAR_BLOCK; index += 1) {
    const byte = index >= at && index < at + length ? SPACE : (block[index] ?? 0);
    unsigned += byte;
    signed += byte < 0x80 ? byte : byte - 0x100;
  }
  return [unsigned, signed];
}
