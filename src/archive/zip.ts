import type { ArchiveFormat } from './format.ts';
import { unpackZip } from './zip-read.ts';
import { packZip } from './zip-write.ts';

/** An entry in front, or, where there is none, the end of the directory. */
const MAGICS = [Buffer.from('PK\x03\x04'), Buffer.from('PK\x05\x06')];

export const ZIP: ArchiveFormat = {
  name: 'zip',
  contentType: 'application/zip',
  extensions: ['.zip'],
  recognises: (head) => MAGICS.some((magic) => head.subarray(0, magic.length).equals(magic)),
  pack: packZip,
  unpack: unpackZip,
};
