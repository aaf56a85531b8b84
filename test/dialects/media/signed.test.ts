import { send } from '../../support/client.ts';
import { SAMPLES } from '../../support/media-samples.ts';
import { playScenarios, type Scenario } from '../../support/scenario.ts';

const HOUR_SECONDS = 3600;
const form = [{ name: 'file', filename: 'notes.txt', value: 'some text' }];
const headers = { 'x-request-id': 'req-1' };

interface Told {
  readonly data: {
    readonly file_id: string;
    readonly url: string;
    readonly direct_url: string;
    readonly direct_url_expires_at: number;
    readonly expires_at: number;
  };
}

/** Within a minute of an hour from now. */
function expectAnHour(seconds: number): void {
  expect(Number.isInteger(seconds)).toBe(true);
  expect(Math.abs(seconds - Date.now() / 1000 - HOUR_SECONDS)).toBeLessThan(60);
}

const SIGNED: readonly Scenario[] = [
  {
    name: 'media.upload gives a direct URL with its expiry in Unix seconds, and no text',
    call: 'POST /media/v1/files/upload',
    headers,
    form,
    status: 200,
    golden: 'uploaded-signed',
    after: async ({ owner, daemon }, { body }) => {
      const { direct_url, direct_url_expires_at, url, file_id } = (body as Told).data;
      expectAnHour(direct_url_expires_at);
      expect((await owner.does(`GET ${url.slice(daemon.url.length)}`)).text).toBe('some text');
      // Nobody's credential goes with it.
      const direct = await send(daemon.url, { method: 'GET', target: direct_url.slice(daemon.url.length) });
      expect([direct.status, direct.text]).toEqual([200, 'some text']);
      await owner.does(`DELETE /v1/files/${file_id}`);
      expect((await send(daemon.url, { method: 'GET', target: direct_url.slice(daemon.url.length) })).status).toBe(404);
    },
  },
  {
    name: 'media.url is the signed URL',
    before: async ({ owner }) => {
      const { body } = await owner.does('POST /media/v1/files/upload', {
        form: [{ name: 'file', filename: 'photo.png', value: SAMPLES.png }],
      });
      return { id: (body as Told).data.file_id };
    },
    call: 'GET /media/v1/files/{id}/url',
    headers,
    status: 200,
    golden: 'url-signed',
    answers: { 'cache-control': 'private, no-store' },
    after: async ({ owner, daemon }, { body }) => {
      const { url, expires_at, file_id } = (body as Told).data;
      expectAnHour(expires_at);
      const direct = await send(daemon.url, { method: 'GET', target: url.slice(daemon.url.length) });
      expect(direct.bytes.equals(SAMPLES.png)).toBe(true);
      const info = ((await owner.does(`GET /media/v1/files/${file_id}/info`)).body as Told).data;
      expectAnHour(info.direct_url_expires_at);
    },
  },
  {
    name: 'media.upload gives no direct URL to one who may not read',
    as: { scope: 'files:write' },
    call: 'POST /media/v1/files/upload',
    form,
    status: 200,
    after: async (_world, { body }) => {
      expect((body as Told).data).toMatchObject({ direct_url: null, direct_url_expires_at: null });
    },
  },
  {
    name: 'media.config says that documents are left as they are',
    call: 'GET /media/v1/config/multimodal',
    headers,
    status: 200,
    golden: 'config-raw',
  },
];

playScenarios('media with signed URLs and raw documents', import.meta.url, SIGNED, {
  env: { MEDIA_SIGNED_URLS: 'true', MEDIA_DOCUMENT_HANDLING: 'raw' },
});
