import { SAMPLES } from '../../support/media-samples.ts';
import { expectProblem, playScenarios, type Scenario, secondsUntil } from '../../support/scenario.ts';
import { dataOf, headers, part, UPLOAD } from './kit.ts';

const UPLOADS: readonly Scenario[] = [
  {
    name: 'media.upload answers with the file in an envelope',
    call: UPLOAD,
    headers,
    form: [part('photo.png', SAMPLES.png)],
    status: 200,
    golden: 'uploaded',
  },
  {
    name: 'media.upload answers with the text of a document',
    call: UPLOAD,
    headers,
    form: [part('notes.md', '# Title\n\nSome *text*.\n')],
    status: 200,
    golden: 'uploaded-document',
  },
  {
    name: 'media.upload takes a bare Blob, which has no name but `upload`',
    call: UPLOAD,
    form: [part('upload', SAMPLES.jpeg, 'upload')],
    status: 200,
    after: async ({ owner }, { body }) => {
      expect(dataOf(body)).toMatchObject({
        filename: 'upload',
        mime_type: 'image/jpeg',
        size_bytes: SAMPLES.jpeg.length,
      });
      const named = await owner.does(UPLOAD, { form: [part('upload', SAMPLES.jpeg)] });
      expect(dataOf(named.body)).toMatchObject({ filename: 'upload', mime_type: 'image/jpeg' });
    },
  },
  {
    name: 'media.upload of an empty, a nameless or no file is 400, and keeps nothing',
    call: UPLOAD,
    form: [part('empty.png', '')],
    status: 400,
    code: 'invalid_request',
    after: async ({ owner }) => {
      const forms = [
        [],
        [part('', 'x')],
        [part('dir/', 'x')],
        [{ name: 'file', value: 'a field, without a filename' }],
        [part('a.txt', 'x', 'files')],
        [part('a.txt', 'x'), part('b.txt', 'y')],
        [part('a\nb.txt', 'x')],
        [part('x'.repeat(256), 'x')],
        [part('..', 'x')],
      ];
      for (const form of forms) {
        const { status, body } = await owner.does(UPLOAD, { form });
        expect([form, status, body]).toEqual([form, 400, expect.objectContaining({ code: 'invalid_request' })]);
      }
      expect((await owner.does(UPLOAD, { raw: 'x' })).status).toBe(415);
      expect((await owner.does('GET /v1/files')).body).toMatchObject({ data: [] });
    },
  },
  {
    name: 'media.upload of more than is taken is 413',
    call: UPLOAD,
    form: [part('large.bin', Buffer.alloc(1024 * 1024 + 1))],
    status: 413,
    code: 'too_large',
    body: expect.objectContaining({ limit: 1024 * 1024 }),
    after: async ({ owner }) => {
      const most = await owner.does(UPLOAD, { form: [part('most.bin', Buffer.alloc(1024 * 1024))] });
      expect(most.status).toBe(200);
    },
  },
  {
    name: 'media.upload over the quota is 507, and keeps nothing',
    before: async ({ as, tenant }) => {
      await as({ scope: 'admin' }).does(`PUT /admin/tenants/${tenant}`, { json: { quota_bytes: 10 } });
      return undefined;
    },
    call: UPLOAD,
    form: [part('a.txt', '12345678901')],
    status: 507,
    code: 'quota_exceeded',
    after: async ({ owner }) => {
      expect((await owner.does(UPLOAD, { form: [part('a.txt', '1234567890')] })).status).toBe(200);
    },
  },
  {
    name: 'media.upload by one who may not read gives no text away',
    as: { scope: 'files:write' },
    call: UPLOAD,
    form: [part('a.txt', 'text')],
    status: 200,
    after: async ({ as }, { body }) => {
      expect(dataOf(body)).toMatchObject({ extracted_text: null, direct_url: null });
      const info = await as({}).does(`GET /media/v1/files/${dataOf(body).file_id}/info`);
      expect(dataOf(info.body)).toMatchObject({ extracted_text: 'text' });
    },
  },
  {
    name: 'media.upload makes the file of the user and agent that the credential is bound to',
    as: { user: 'u1' },
    call: UPLOAD,
    form: [part('a.txt', 'x')],
    status: 200,
    after: async ({ as }, { body }) => {
      const call = `GET /media/v1/files/${dataOf(body).file_id}/info`;
      const seen = [{ user: 'u1' }, {}, { user: 'u2' }, { agent: 'a1' }].map(async (claims) => {
        return (await as(claims).does(call)).status;
      });
      expect(await Promise.all(seen)).toEqual([200, 200, 404, 404]);
      const own = await as({ agent: 'a1' }).does(UPLOAD, { form: [part('b.txt', 'x')] });
      expect((await as({ agent: 'a1' }).does(`GET /v1/files/${dataOf(own.body).file_id}`)).body).toMatchObject({
        agentId: 'a1',
      });
    },
  },
  {
    name: 'media.upload with expires_after says in Sunset when the file will be gone, and so do media.info and media.get',
    call: UPLOAD,
    form: [part('a.txt', 'x'), { name: 'expires_after', value: '7d' }],
    status: 200,
    after: async ({ owner }, { headers: { sunset }, body }) => {
      expect(secondsUntil(sunset)).toBeCloseTo(604_800, -1);
      const path = `/media/v1/files/${dataOf(body).file_id}`;
      for (const call of [`GET ${path}`, `GET ${path}/info`]) {
        expect((await owner.does(call)).headers.sunset).toBe(sunset);
      }
      const kept = (value: string, name = 'expiresAfter') =>
        owner.does(UPLOAD, { form: [{ name, value }, part('a.txt', 'x')] });
      expect(secondsUntil((await kept('90')).headers.sunset)).toBeCloseTo(90, -1);
      expect((await kept('')).headers).not.toHaveProperty('sunset');
      for (const wrong of ['0', '-1', 'soon', '1w', '1.5']) {
        expectProblem(await kept(wrong, 'expires_after'), 'invalid_request');
      }
    },
  },
  {
    name: 'media.upload with an Idempotency-Key is done once',
    call: UPLOAD,
    headers: { 'idempotency-key': 'k' },
    form: [part('a.txt', 'x')],
    status: 200,
    after: async ({ owner }, { body }) => {
      const again = await owner.does(UPLOAD, { form: [part('a.txt', 'x')], headers: { 'idempotency-key': 'k' } });
      expect(again.body).toEqual(body);
    },
  },
];

playScenarios('uploading media', import.meta.url, UPLOADS, {
  env: { MEDIA_MAX_FILE_BYTES: '1MiB' },
});
