import { pipeline } from 'node:stream';
import { type Compression, GZIP, ZSTD } from './compression.ts';
import type { ArchiveFormat } from './format.ts';
import { isHeader, TAR_BLOCK } from './tar-header.ts';
import { unpackTar } from './tar-read.ts';
import { packTar } from './tar-write.ts';

const GZIP_MAGIC = Buffer.of(0x1f, 0x8b, 0x08);
const ZSTD_MAGIC = Buffer.of(0x28, 0xb5, 0x2f, 0xfd);

export const TAR: ArchiveFormat = {
  name: 'tar',
  contentType: 'application/x-tar',
  extensions: ['.tar'],
  recognises: (head) => isHeader(head.subarray(0, TAR_BLOCK)) || isEnd(head),
  pack: packTar,
  unpack: (source, signal) => unpackTar(source.stream(), signal),
};

export const TAR_GZ: ArchiveFormat = {
  name: 'tar.gz',
  contentType: 'application/gzip',
  extensions: ['.tar.gz', '.tgz'],
  recognises: (head) => head.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC),
  ...compressed(GZIP),
};

export const TAR_ZST: ArchiveFormat = {
  name: 'tar.zst',
  contentType: 'application/zstd',
  extensions: ['.tar.zst', '.tzst'],
  recognises: (head) => head.subarray(0, ZSTD_MAGIC.length).equals(ZSTD_MAGIC),
  ...compressed(ZSTD),
};

function compressed(by: Compression): Pick<ArchiveFormat, 'pack' | 'unpack'> {
  // pipeline ends each stream with the other's error, so its callback has nothing left to tell.
  const told = () => undefined;
  return {
    pack: (members, options) => pipeline(packTar(members, options), by.compress(options.level), told),
    unpack: (source, signal) => unpackTar(pipeline(source.stream(), by.decompress(), told), signal),
  };
}

/** An archive without members is nothing but its end. */
function isEnd(head: Buffer): boolean {
  return head.length >= TAR_BLOCK && head.every((byte) => byte === 0);
}
