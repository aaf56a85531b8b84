import { randomUUID } from 'node:crypto';
import { SAMPLES } from '../../support/media-samples.ts';
import { playScenarios, type Scenario, type World } from '../../support/scenario.ts';
import { dataOf, headers, part, UPLOAD, uploaded } from './kit.ts';

const READING: readonly Scenario[] = [
  {
    name: 'media.get sends the bytes with their type, to Range and HEAD too',
    before: uploaded('photo.png', SAMPLES.png),
    call: 'GET /media/v1/files/{id}',
    status: 200,
    answers: { 'content-type': 'image/png', 'x-content-type-options': 'nosniff', 'accept-ranges': 'bytes' },
    after: async ({ owner }, { bytes }) => {
      expect(bytes.equals(SAMPLES.png)).toBe(true);
      const { id } = await uploaded('a.bin', '0123456789')({ owner } as World);
      const target = `/media/v1/files/${id}`;
      const part = await owner.does(`GET ${target}`, { headers: { range: 'bytes=2-4' } });
      expect([part.status, part.text]).toEqual([206, '234']);
      const head = await owner.does(`HEAD ${target}`);
      expect([head.status, head.headers['content-length'], head.text]).toEqual([200, '10', '']);
      const fresh = await owner.does(`GET ${target}`, { headers: { 'if-none-match': String(head.headers.etag) } });
      expect(fresh.status).toBe(304);
    },
  },
  {
    name: 'media.get sends what could run in a browser as an attachment in a sandbox',
    before: uploaded('evil.html', '<script>alert(document.domain)</script>'),
    call: 'GET /media/v1/files/{id}',
    status: 200,
    answers: {
      'content-disposition': 'attachment; filename=evil.html',
      'content-security-policy': "sandbox; default-src 'none'",
      'x-content-type-options': 'nosniff',
    },
    after: async ({ owner }) => {
      const script = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
      // By their names, or by what their sender says of a file whose name says nothing.
      const forms = ['a.svg', 'a.xhtml', 'a.xml', 'a.js', 'a.pdf'].map((name) => part(name, script));
      for (const form of forms) {
        const { file_id } = dataOf((await owner.does(UPLOAD, { form: [form] })).body);
        const { headers: sent } = await owner.does(`GET /media/v1/files/${file_id}`);
        expect([form.filename, sent['content-disposition'], sent['x-content-type-options']]).toEqual([
          form.filename,
          expect.stringMatching(/^attachment/),
          'nosniff',
        ]);
        expect(sent['content-security-policy']).toContain('sandbox');
      }
    },
  },
  {
    name: 'media.info tells all but the bytes',
    before: uploaded('photo.png', SAMPLES.png),
    call: 'GET /media/v1/files/{id}/info',
    headers,
    status: 200,
    golden: 'info',
  },
  {
    name: 'media.info has the text of a document',
    before: uploaded('page.html', '<html><body><h1>Title</h1><script>no()</script><p>Some text.</p></body></html>'),
    call: 'GET /media/v1/files/{id}/info',
    status: 200,
    after: async (_world, { body }) => {
      expect(dataOf(body)).toMatchObject({
        mime_type: 'text/html',
        extracted_text: expect.stringMatching(/title\s+Some text/i),
      });
      expect(dataOf(body).extracted_text).not.toContain('no()');
    },
  },
  {
    name: 'media.url is the API’s own where no signed URLs are given out',
    before: uploaded('photo.png', SAMPLES.png),
    call: 'GET /media/v1/files/{id}/url',
    headers,
    status: 200,
    golden: 'url',
  },
  {
    name: 'media.config answers at both of its paths, and names no path of the machine',
    call: 'GET /media/v1/files/config',
    headers,
    status: 200,
    golden: 'config',
    after: async ({ owner, daemon }, { body, text }) => {
      const other = await owner.does('GET /media/v1/config/multimodal', { headers });
      expect(dataOf(other.body)).toEqual(dataOf(body));
      expect(text).not.toContain(daemon.dataDir);
      expect((await owner.does('POST /media/v1/files/config')).headers.allow).toBe('GET, HEAD, OPTIONS');
    },
  },
  ...['', '/info', '/url'].map((path): Scenario => {
    return {
      name: `media calls to files/:id${path} of an unknown id, another tenant’s file or a deleted one is 404`,
      call: `GET /media/v1/files/file_${randomUUID().replaceAll('-', '')}${path}`,
      status: 404,
      code: 'not_found',
      after: async (world) => {
        const { id } = await uploaded('a.txt', 'x')(world);
        const call = `GET /media/v1/files/${id}${path}`;
        expect((await world.as({ tenant: 'another' } as object).does(call)).status).toBe(404);
        expect((await world.as('nobody').does(call)).status).toBe(401);
        await world.owner.does(`DELETE /v1/files/${id}`);
        expect((await world.owner.does(call)).status).toBe(404);
      },
    };
  }),
];

const SHARED: readonly Scenario[] = [
  {
    name: 'media.upload makes an object without purpose and user, which files shows under the same id',
    before: uploaded('photo.png', SAMPLES.png),
    call: 'GET /v1/files/{id}',
    status: 200,
    after: async ({ owner }, { body }) => {
      expect(body).toMatchObject({ filename: 'photo.png', mimeType: 'image/png', purpose: null, userId: null });
      const { id } = body as { id: string };
      expect((await owner.does('GET /v1/files')).body).toMatchObject({ data: [{ id }] });
      const content = await owner.does(`GET /v1/files/${id}/content`);
      expect(content.bytes.equals(SAMPLES.png)).toBe(true);
    },
  },
  {
    name: 'media.upload makes an object that slots lists under the same id',
    before: uploaded('photo.png', SAMPLES.png),
    call: 'GET /storage/files',
    status: 200,
    after: async (_world, { body }) => {
      const listed = { file_name: 'photo.png', content_type: 'image/png', status: 'uploaded', visibility: 'private' };
      expect(body).toMatchObject({ files: [listed] });
    },
  },
  {
    name: 'media.get, media.info and media.url of a slot that is not filled are 409',
    before: async ({ owner }) => {
      const { body } = await owner.does('POST /storage/upload', { json: { content_type: 'text/plain' } });
      return { id: (body as { file_id: string }).file_id };
    },
    call: 'GET /media/v1/files/{id}',
    status: 409,
    code: 'pending_upload',
    after: async ({ owner }, { body }) => {
      const { path } = body as { path: string };
      for (const what of ['info', 'url']) {
        const answer = await owner.does(`GET /media/v1/files/${path}/${what}`);
        expect([answer.status, answer.body]).toEqual([409, expect.objectContaining({ code: 'pending_upload' })]);
      }
    },
  },
  {
    name: 'media.info and media.get show what was put into a slot',
    before: async ({ owner, daemon }) => {
      const { body } = await owner.does('POST /storage/upload', { json: { content_type: 'text/markdown' } });
      const slot = body as { file_id: string; upload_url: string; required_headers: Record<string, string> };
      const target = slot.upload_url.slice(daemon.url.length);
      await owner.does(`PUT ${target}`, { raw: '# From a slot', headers: slot.required_headers });
      return { id: slot.file_id };
    },
    call: 'GET /media/v1/files/{id}/info',
    status: 200,
    after: async (_world, { body }) => {
      expect(dataOf(body)).toMatchObject({
        mime_type: 'text/markdown',
        filename: null,
        extracted_text: '# From a slot',
      });
    },
  },
  {
    name: 'media.info and media.get show what was made by files',
    before: async ({ owner }) => ({ id: (await owner.uploads('a.txt', 'from files')).id }),
    call: 'GET /media/v1/files/{id}/info',
    status: 200,
    after: async ({ owner }, { body }) => {
      const { file_id, ...rest } = dataOf(body);
      expect(rest).toMatchObject({ mime_type: 'text/plain', filename: 'a.txt', extracted_text: 'from files' });
      expect((await owner.does(`GET /media/v1/files/${file_id}`)).text).toBe('from files');
    },
  },
];

playScenarios('reading media', import.meta.url, [...READING, ...SHARED], {
  env: { MEDIA_MAX_FILE_BYTES: '1MiB' },
});
