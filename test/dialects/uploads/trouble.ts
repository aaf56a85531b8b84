import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Finished, uploadFile } from '../../clients/uploads-client.ts';
import { actor } from '../../support/actor.ts';
import { type Cutter, startCutter } from '../../support/cutter.ts';
import { startProcess, token } from '../../support/process.ts';
import type { Temporary } from '../../support/tree.ts';

const BEARER = token({ tenant: 'acme' });

/** Uploads a file of this size on a way that is cut five times, with the daemon killed and started again once. */
export async function uploadThroughTrouble(directory: Temporary, bytes: number): Promise<void> {
  const path = join(directory.path, 'large.bin');
  const content = randomBytes(bytes);
  writeFileSync(path, content);
  const dataDir = join(directory.path, 'data');
  let daemon = await startProcess(dataDir);
  const cutter = await startCutter(daemon.url);
  try {
    await actor(daemon.url, BEARER).makesAgent('a1');
    const metadata = { target: 'workspace', agent: 'a1', path: 'in/large.bin' };
    const settings = { endpoint: `${cutter.url}/v1/uploads`, token: BEARER, metadata };
    const uploading = uploadFile(path, settings);
    for (let cuts = 0; cuts < 5; cuts++) {
      await cutter.cutAfter(bytes / 8);
      if (cuts !== 2) continue;
      await daemon.kill();
      daemon = await startProcess(dataDir);
      cutter.lead(daemon.url);
    }
    const finished = await uploading;
    expect(finished.retries).toBeGreaterThanOrEqual(5);
    await expectContent(cutter, finished, content);
  } finally {
    await cutter.close();
    await daemon.kill();
  }
}

async function expectContent(cutter: Cutter, { url, result }: Finished, content: Buffer): Promise<void> {
  const headers = { authorization: `Bearer ${BEARER}` };
  expect(result).toBe(`${cutter.url}/agent/a1/filesystem/files/in/large.bin`);
  const stored = Buffer.from(await (await fetch(`${result}?raw=true`, { headers })).arrayBuffer());
  const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
  expect([stored.length, sha256(stored)]).toEqual([content.length, sha256(content)]);
  const upload = (await (await fetch(url, { headers })).json()) as object;
  expect(upload).toMatchObject({ status: 'finished', offset: content.length, length: content.length });
}
