import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../src/config.ts';
import { startDaemon } from '../src/daemon.ts';
import { TEST_SECRET, token } from './support/process.ts';

const authorization = `Bearer ${token({ tenant: 'acme' })}`;

describe('the signed data plane on a port of its own', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'workspaced-daemon-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('files.signed and slots.put answer there, and nothing else does', async () => {
    const settings = { DATA_DIR: dataDir, PORT: '0', SIGNED_PORT: '0', JWT_SECRET: TEST_SECRET, LOG_LEVEL: 'error' };
    const daemon = await startDaemon(readConfig({ ...settings, PUBLIC_URL: 'https://files.example' }));
    try {
      const form = new FormData();
      form.append('userId', 'u1');
      form.append('file', new Blob(['hello']), 'a.txt');
      const headers = { authorization };
      const made = await fetch(`${daemon.url}/v1/files`, { method: 'POST', body: form, headers });
      const { id } = (await made.json()) as { id: string };
      const { url } = (await (await fetch(`${daemon.url}/v1/files/${id}/url`, { headers })).json()) as { url: string };
      expect(url).toMatch(/^https:\/\/files\.example\/signed\/files\/file_\w+\?token=/);
      const path = url.slice('https://files.example'.length);
      expect(await (await fetch(`${daemon.signedUrl}${path}`)).text()).toBe('hello');
      const wanted = { method: 'POST', body: '{"content_type":"text/plain"}' };
      const typed = { ...headers, 'content-type': 'application/json' };
      const reserved = await fetch(`${daemon.url}/storage/upload`, { ...wanted, headers: typed });
      const slot = (await reserved.json()) as { upload_url: string; required_headers: Record<string, string> };
      const target = slot.upload_url.slice('https://files.example'.length);
      const put = { method: 'PUT', body: 'hello', headers: slot.required_headers };
      expect((await fetch(`${daemon.signedUrl}${target}`, put)).status).toBe(200);
      for (const other of ['/v1/files', '/storage/files', '/healthz', '/', '/docs']) {
        expect((await fetch(`${daemon.signedUrl}${other}`, { headers })).status).toBe(404);
      }
    } finally {
      await daemon.close();
    }
    await expect(fetch(`${daemon.signedUrl}/signed/files/x`)).rejects.toThrow('fetch failed');
  });

  it('a port that is taken stops the start, and leaves nothing open', async () => {
    const settings = { DATA_DIR: dataDir, JWT_SECRET: TEST_SECRET, LOG_LEVEL: 'error' };
    const first = await startDaemon(readConfig({ ...settings, PORT: '0' }));
    const taken = new URL(first.url).port;
    await expect(startDaemon(readConfig({ ...settings, PORT: '0', SIGNED_PORT: taken }))).rejects.toThrow('EADDRINUSE');
    await first.close();
    const again = await startDaemon(readConfig({ ...settings, PORT: taken }));
    expect(again.url).toBe(first.url);
    await again.close();
  });
});
