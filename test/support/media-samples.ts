/** The smallest files that are what they say, each made by hand: a header, and nothing to see or hear. */

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');
const latin = (text: string) => Buffer.from(text, 'latin1');
const padded = (bytes: Buffer, bytesMore = 64) => Buffer.concat([bytes, Buffer.alloc(bytesMore)]);

/** A frame of 128 kbit/s at 44.1 kHz is 417 bytes. */
const mpegFrame = padded(hex('fffb9000'), 413);

/** One page of an Ogg stream, which begins with the header of a codec. */
const oggPage = (codec: string) =>
  Buffer.concat([
    latin('OggS'),
    hex('00 02 0000000000000000 01000000 00000000 00000000 01 1e'),
    padded(latin(codec), 30 - codec.length),
  ]);

const ebml = (docType: string) => {
  const type = Buffer.concat([hex('4282'), Buffer.from([0x80 | docType.length]), latin(docType)]);
  const header = Buffer.concat([hex('4286810142f7810142f2810442f38108'), type, hex('4287810442858102')]);
  return padded(Buffer.concat([hex('1a45dfa3'), Buffer.from([0x80 | header.length]), header]));
};

const fileTypeBox = (brand: string) =>
  padded(Buffer.concat([hex('00000018'), latin(`ftyp${brand}`), hex('00000200'), latin(`${brand}mp41`)]));

export const SAMPLES = {
  jpeg: padded(hex('ffd8ffe0 0010 4a46494600 0101 00 0001 0001 00 00')),
  png: padded(hex('89504e470d0a1a0a 0000000d 49484452 00000001 00000001 0802000000')),
  gif: padded(latin('GIF89a\x01\x00\x01\x00')),
  webp: padded(latin('RIFF\x48\x00\x00\x00WEBPVP8 ')),
  mpeg: Buffer.concat([mpegFrame, mpegFrame]),
  /** With a tag in front, as most have: here of ten bytes. */
  taggedMpeg: Buffer.concat([hex('494433 0300 00 0000000a'), Buffer.alloc(10), mpegFrame, mpegFrame]),
  wav: padded(latin('RIFF\x68\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00')),
  vorbis: oggPage('\x01vorbis'),
  opus: oggPage('OpusHead'),
  theora: oggPage('\x80theora'),
  webm: ebml('webm'),
  mp4: fileTypeBox('isom'),
  m4a: fileTypeBox('M4A '),
  pdf: padded(latin('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n')),
} as const satisfies Readonly<Record<string, Buffer>>;
