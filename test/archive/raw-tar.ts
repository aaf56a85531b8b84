/** A tar made by hand, block by block. */
export interface RawHeader {
  readonly name?: string | Buffer;
  readonly type?: string;
  /** As text of the field, so that it can be anything; a number is written in octal. */
  readonly size?: number | Buffer;
  readonly mtime?: number | Buffer;
  readonly mode?: number;
  readonly linkname?: string;
  readonly prefix?: string;
  readonly magic?: string;
  readonly content?: string | Buffer;
  /** Adds up bytes as signed ones, as some old tars did. */
  readonly isSigned?: boolean;
}

export const END = Buffer.alloc(1024);

/** A header block, and the content in whole blocks. */
export function rawEntry(given: RawHeader): Buffer {
  const content = Buffer.from(given.content ?? '');
  const block = Buffer.alloc(512);
  Buffer.from(given.name ?? 'f').copy(block, 0, 0, 100);
  number(given.mode ?? 0o644, 8).copy(block, 100);
  number(given.size ?? content.length, 12).copy(block, 124);
  number(given.mtime ?? 0, 12).copy(block, 136);
  block.write(given.type ?? '0', 156, 'latin1');
  block.write(given.linkname ?? '', 157, 100);
  block.write(given.magic ?? 'ustar\x0000', 257, 'latin1');
  block.write(given.prefix ?? '', 345, 155);
  block.fill(' ', 148, 156);
  const sum = block.reduce((all, byte) => all + (given.isSigned === true && byte > 127 ? byte - 256 : byte), 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([block, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

export function rawTar(...entries: readonly RawHeader[]): Buffer {
  return Buffer.concat([...entries.map(rawEntry), END]);
}

/** The records of a pax header; a value's length is counted in bytes. */
export function pax(records: Readonly<Record<string, string | Buffer>>): RawHeader {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from('\n')]);
    const digits = String(rest.length + String(rest.length).length).length;
    return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
  });
  return { name: 'PaxHeader', type: 'x', content: Buffer.concat(lines) };
}

function number(value: number | Buffer, width: number): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(`${value.toString(8).padStart(width - 1, '0')}\0`);
}
