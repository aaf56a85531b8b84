import { writeFileSync } from 'node:fs';
import { detectMediaType, type KnownOfType } from '../../src/core/media-type.ts';
import { at } from '../support/core.ts';
import { SAMPLES } from '../support/media-samples.ts';
import { type TemporaryHome, temporaryHome } from '../support/tree.ts';

const NOTHING: KnownOfType = { name: null };

let home: TemporaryHome;
beforeAll(async () => {
  home = await temporaryHome();
});
afterAll(() => home[Symbol.dispose]());

async function typeOf(bytes: string | Buffer, known: KnownOfType = NOTHING): Promise<string> {
  writeFileSync(home.at('file'), bytes);
  return detectMediaType(await home.tree.open(at('file')), known);
}

describe('the type of a file', () => {
  it.each([
    ['jpeg', 'image/jpeg'],
    ['png', 'image/png'],
    ['gif', 'image/gif'],
    ['webp', 'image/webp'],
    ['mpeg', 'audio/mpeg'],
    ['taggedMpeg', 'audio/mpeg'],
    ['wav', 'audio/wav'],
    ['pdf', 'application/pdf'],
  ] as const)('is told by the bytes of a %s, whatever its name and its sender say', async (sample, type) => {
    const bytes = SAMPLES[sample];
    expect(await typeOf(bytes)).toBe(type);
    for (const name of ['upload', 'a.txt', 'a.md', 'a.html', 'a.png', 'a.mp4', 'a.pdf', 'a.mp3', 'a.zip']) {
      for (const declared of ['text/html', 'image/gif', 'audio/mpeg', 'video/mp4', 'application/octet-stream']) {
        expect([name, declared, await typeOf(bytes, { name, declared })]).toEqual([name, declared, type]);
      }
    }
  });

  it.each([
    ['webm', 'video/webm', ['audio/webm', 'video/webm']],
    ['vorbis', 'audio/ogg', ['audio/ogg', 'video/ogg', 'application/ogg']],
    ['opus', 'audio/ogg', ['audio/ogg', 'video/ogg']],
    ['theora', 'video/ogg', ['audio/ogg', 'video/ogg']],
    ['mp4', 'video/mp4', ['audio/mp4', 'video/mp4', 'audio/x-m4a']],
    ['m4a', 'audio/x-m4a', ['audio/mp4', 'audio/m4a']],
  ] as const)('is as declared for a %s, which may be either, and else %s', async (sample, alone, either) => {
    const bytes = SAMPLES[sample];
    expect(await typeOf(bytes)).toBe(alone);
    for (const declared of either) {
      expect(await typeOf(bytes, { name: 'upload', declared })).toBe(declared);
      expect(await typeOf(bytes, { name: 'a.txt', declared: `${declared.toUpperCase()}; codecs="opus"` })).toBe(
        declared,
      );
    }
    for (const declared of ['image/png', 'text/plain', 'application/octet-stream', 'audio/mpeg', 'nonsense', '']) {
      expect([declared, await typeOf(bytes, { name: 'upload', declared })]).toEqual([declared, alone]);
    }
  });

  it('is told by the name where only the container is known', async () => {
    expect(await typeOf(SAMPLES.webm, { name: 'voice.weba' })).toBe('audio/webm');
    expect(await typeOf(SAMPLES.mp4, { name: 'voice.m4a' })).toMatch(/^audio\//);
    expect(await typeOf(SAMPLES.webm, { name: 'voice.weba', declared: 'video/webm' })).toBe('video/webm');
    expect(await typeOf(SAMPLES.webm, { name: 'clip.mp4' })).toBe('video/webm');
  });

  it('is told by the name for text and Markdown', async () => {
    expect(await typeOf('hello', { name: 'a.txt' })).toBe('text/plain');
    expect(await typeOf('# hello', { name: 'notes.md', declared: 'application/octet-stream' })).toBe('text/markdown');
    expect(await typeOf('# hello', { name: 'NOTES.MARKDOWN', declared: 'text/plain' })).toBe('text/markdown');
    expect(await typeOf('a,b', { name: 'a.csv', declared: 'text/html' })).toBe('text/csv');
    expect(await typeOf('const x: number = 1;', { name: 'a.ts', declared: 'video/mp2t' })).toBe('text/plain');
  });

  it('is text for a text that begins with the letters of something else', async () => {
    for (const begin of ['BMW sells', 'MZ is', 'GIF files', 'ID3 tags', 'CWS and FWS', 'fLaC', 'BZh', 'MSCF', '8BPS']) {
      const words = `${begin} well in spring — says the report.\n`;
      expect([begin, await typeOf(words.repeat(200), { name: 'a.txt' })]).toEqual([begin, 'text/plain']);
      expect([begin, await typeOf(words, { name: 'a.md', declared: 'image/bmp' })]).toEqual([begin, 'text/markdown']);
    }
    // Without a name that says so, the letters are all there is to go by.
    expect(await typeOf('BMW sells well in spring', { name: 'upload' })).toBe('image/bmp');
    expect(await typeOf('%PDF-1.7\n1 0 obj', { name: 'a.txt' })).toBe('application/pdf');
  });

  it('is as declared where neither bytes nor name say anything', async () => {
    expect(await typeOf('# hello', { name: 'upload', declared: 'text/markdown; charset=utf-8' })).toBe('text/markdown');
    expect(await typeOf('\x01\x02', { name: null, declared: 'application/x-custom' })).toBe('application/x-custom');
    for (const declared of [null, '', 'text', 'text/', '/plain', 'a/b/c', 'te xt/plain', `a/${'b'.repeat(99)}`]) {
      expect([declared, await typeOf('# hello', { name: 'upload', declared })]).toEqual([
        declared,
        'application/octet-stream',
      ]);
    }
  });

  it('is not as declared where the bytes would show it', async () => {
    for (const declared of [
      'image/png',
      'application/pdf',
      'audio/mpeg',
      'video/mp4',
      'audio/webm',
      'application/zip',
    ]) {
      expect([declared, await typeOf('just text', { name: 'upload', declared })]).toEqual([
        declared,
        'application/octet-stream',
      ]);
    }
    expect(await typeOf('a\0b', { name: 'upload', declared: 'text/plain' })).toBe('application/octet-stream');
  });

  it('is that of what a container holds by its name, unless the bytes would show that', async () => {
    const zip = Buffer.concat([Buffer.from('504b0506', 'hex'), Buffer.alloc(18)]);
    const docx = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
    expect(await typeOf(zip, { name: 'a.docx' })).toBe(docx);
    expect(await typeOf(zip, { name: 'upload', declared: docx })).toBe(docx);
    expect(await typeOf(zip, { name: 'a.png' })).toBe('application/zip');
    expect(await typeOf(zip, { name: 'a.zip', declared: 'image/png' })).toBe('application/zip');
    const svg = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>';
    expect(await typeOf(svg, { name: 'a.svg' })).toBe('image/svg+xml');
    expect(await typeOf(svg, { name: 'a.png' })).toBe('application/xml');
  });

  it('is asked of no byte of an empty file', async () => {
    expect(await typeOf('', { name: 'a.png' })).toBe('image/png');
    expect(await typeOf('')).toBe('application/octet-stream');
  });
});
