import type { Transform } from 'node:stream';
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { BLOCK_BYTES } from './produced.ts';

/** A way to make a stream of bytes smaller, and back. */
export interface Compression {
  /** @param level 0 to 9, or null for the usual one */
  compress(level: number | null): Transform;
  /** Fails with zlib's own errors on what is damaged or cut off. Takes several streams that follow one another. */
  decompress(): Transform;
}

// A stream's mark is among zlib's options, though not among their types.
const BLOCKS = { chunkSize: BLOCK_BYTES, highWaterMark: BLOCK_BYTES };

export const GZIP: Compression = {
  compress: (level) =>
    createGzip({
      level: level ?? constants.Z_DEFAULT_COMPRESSION,
      memLevel: 9,
      ...BLOCKS,
    }),
  decompress: () => createGunzip({ ...BLOCKS }),
};

/** zstd's levels for 0 to 9: it cannot only store, and from 16 on one stream holds hundreds of megabytes. */
const ZSTD_LEVELS = [-5, 1, 2, 3, 5, 7, 9, 11, 13, 15] as const;
const ZSTD_DEFAULT_LEVEL = 3;
/** 32 MiB, the memory one hostile stream can make its reader hold. zstd's own levels need 8 MiB up to 19. */
const ZSTD_MAX_WINDOW_LOG = 25;

export const ZSTD: Compression = {
  compress: (level) =>
    createZstdCompress({
      ...BLOCKS,
      params: {
        [constants.ZSTD_c_compressionLevel]: ZSTD_LEVELS[level ?? -1] ?? ZSTD_DEFAULT_LEVEL,
        [constants.ZSTD_c_checksumFlag]: 1,
      },
    }),
  decompress: () =>
    createZstdDecompress({
      ...BLOCKS,
      params: { [constants.ZSTD_d_windowLogMax]: ZSTD_MAX_WINDOW_LOG },
    }),
};
