import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DaemonProcess, filesBelow, startProcess, token } from '../support/process.ts';

const LIMIT = 8 * 1024 * 1024;
const FILLED = 7 * 1024 * 1024;
const WRITERS = 200;
const EACH = 16 * 1024;

interface Refusal {
  readonly code: string;
  readonly used: number;
  readonly limit: number;
  readonly requested: number;
}

describe('two hundred uploads into the last megabyte', () => {
  let dataDir: string;
  let daemon: DaemonProcess;
  const bearer = { authorization: `Bearer ${token({ tenant: 'acme' })}` };
  const admin = { authorization: `Bearer ${token({ tenant: 'acme', scope: 'admin' })}` };

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'workspaced-quota-'));
    daemon = await startProcess(dataDir, { TENANT_QUOTA_BYTES: String(LIMIT) });
  });
  afterAll(async () => {
    await daemon.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  function upload(name: string, bytes: number): Promise<Response> {
    const form = new FormData();
    form.append('files', new Blob([new Uint8Array(bytes).fill(7)]), name);
    return fetch(`${daemon.url}/api/v1/files/upload`, { method: 'POST', body: form, headers: bearer });
  }

  it('store.upload never passes the limit and refuses the rest with 507, used, limit and requested', async () => {
    expect((await upload('filler', FILLED)).status).toBe(200);
    const answers = await Promise.all(Array.from({ length: WRITERS }, (_, n) => upload(`last/${n}`, EACH)));
    const granted = answers.filter((answer) => answer.status === 200);
    const refused = answers.filter((answer) => answer.status === 507);
    expect(granted.length + refused.length).toBe(WRITERS);
    expect(granted.length).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThanOrEqual(WRITERS - (LIMIT - FILLED) / EACH);
    for (const answer of refused) {
      const body = (await answer.json()) as Refusal;
      expect(body).toMatchObject({
        code: 'quota_exceeded',
        limit: LIMIT,
        used: expect.any(Number),
        requested: expect.any(Number),
      });
      expect(body.used).toBeLessThanOrEqual(LIMIT);
    }
    expect(await bytesOnDisk()).toBeLessThanOrEqual(LIMIT);
  });

  it('the ledger equals a recount of the disk afterwards', async () => {
    const answer = await fetch(`${daemon.url}/admin/tenants/acme/rescan?dry_run=true`, {
      method: 'POST',
      headers: admin,
    });
    const rescan = (await answer.json()) as { ledger: { bytes: number }; disk: { bytes: number }; drift: unknown };
    expect(rescan.drift).toEqual({ bytes: 0, files: 0 });
    expect(rescan.ledger.bytes).toBe(await bytesOnDisk());
  });

  async function bytesOnDisk(): Promise<number> {
    const tree = join(dataDir, 'tenants/acme/store/tree');
    const sizes = await Promise.all((await filesBelow(tree)).map(async (path) => (await stat(join(tree, path))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  }
});
