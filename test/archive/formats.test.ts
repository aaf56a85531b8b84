import { ARCHIVE_FORMATS, formatNamed, formatOfFile, HEAD_BYTES, recogniseFormat } from '../../src/archive/formats.ts';
import { describeArchive } from '../contract/archive.contract.ts';
import { file, packed } from './kit.ts';

for (const format of ARCHIVE_FORMATS) describeArchive(format);

describe('the list of formats', () => {
  it('finds a format by the name it has on the wire', () => {
    for (const format of ARCHIVE_FORMATS) expect(formatNamed(format.name)).toBe(format);
    expect(() => formatNamed('rar')).toThrow('"rar" is not a format of archives; use zip, tar.gz, tar.zst, tar');
  });

  it('finds a format by the end of a file name', () => {
    const found = ['a.zip', 'A.ZIP', 'x.tar', 'x.tar.gz', 'x.tgz', 'x.tar.zst', 'x.tzst', 'x.gz', 'zip', 'tar'];
    expect(found.map((name) => formatOfFile(name)?.name ?? null)).toEqual([
      ...['zip', 'zip', 'tar', 'tar.gz', 'tar.gz', 'tar.zst', 'tar.zst', null, null, null],
    ]);
  });

  it('refuses to guess where a name ends like a format that is not written', () => {
    expect(() => formatOfFile('x.tar.bz2')).toThrow('bzip2 archives are not made; name the file for one of zip');
    expect(() => formatOfFile('X.RAR')).toThrow('RAR archives are not made');
  });

  it('recognises each by its first bytes, and no two the same', async () => {
    for (const format of ARCHIVE_FORMATS) {
      const head = (await packed(format, [file('a', 'x')])).subarray(0, HEAD_BYTES);
      expect(recogniseFormat(head)).toBe(format);
      expect(ARCHIVE_FORMATS.filter((each) => each.recognises(head))).toEqual([format]);
    }
  });

  it('names what it does not read', () => {
    const read = 'zip, tar.gz, tar.zst, tar';
    const cases: readonly (readonly [Buffer, string])[] = [
      [Buffer.from('BZh91AY&SY'), `bzip2 archives are not read; ${read} are`],
      [Buffer.from('\xfd7zXZ\0\0', 'latin1'), `xz archives are not read; ${read} are`],
      [Buffer.from("7z\xbc\xaf'\x1c", 'latin1'), `7-Zip archives are not read; ${read} are`],
      [Buffer.from('Rar!\x1a\x07\x01'), `RAR archives are not read; ${read} are`],
      [Buffer.from('hello'), `the file is not an archive; ${read} are read`],
      [Buffer.alloc(0), `the file is not an archive; ${read} are read`],
    ];
    for (const [head, message] of cases) {
      expect(() => recogniseFormat(head)).toThrow(expect.objectContaining({ code: 'invalid_request', message }));
    }
  });
});
