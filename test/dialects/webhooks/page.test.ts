import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { expectPage } from '../../support/page.ts';
import { HOOK_SECRET } from '../../support/receiver.ts';
import { makeWorld } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

const PAGE = new URL('../../../docs/webhooks.md', import.meta.url);

/** The receiver of the page, as a process of its own. */
async function startPageReceiver(directory: string) {
  const marked = (await readFile(PAGE, 'utf8')).split('<!-- test: receiver -->\n```js\n')[1] ?? '';
  const file = join(directory, 'receiver.mjs');
  await writeFile(file, marked.split('```')[0] ?? '');
  const env = { ...process.env, SECRET: HOOK_SECRET, PORT: '0' };
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  await until(() => lines.length > 0, 'the receiver listens');
  return {
    url: `http://127.0.0.1:${lines[0]?.split(' ')[1]}/`,
    lines,
    async stop() {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}

describe('docs/webhooks.md', () => {
  let directory: string;
  let daemon: TestDaemon;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'workspaced-page-'));
    daemon = await startTestDaemon({ env: { WEBHOOKS_ALLOW_PRIVATE: 'true' } });
  });
  afterAll(async () => {
    await daemon.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('has a receiver that takes what webhooks.put has sent to it, and nothing that others send', async () => {
    const receiver = await startPageReceiver(directory);
    try {
      const world = makeWorld(daemon);
      const json = { url: receiver.url, events: ['file.created'], secret: HOOK_SECRET };
      expect((await world.as({ scope: 'admin' }).does('PUT /v1/webhooks', { json })).status).toBe(201);
      const forged = { 'x-workspaced-signature': `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}` };
      for (const headers of [{}, forged]) {
        expect((await fetch(receiver.url, { method: 'POST', body: '{"type":"forged"}', headers })).status).toBe(401);
      }
      await world.owner.uploads('report.csv', 'a,b\n', { purpose: 'knowledge' });
      await until(() => receiver.lines.length === 2, 'the event');
      expect(receiver.lines[1]).toBe('file.created report.csv');
    } finally {
      await receiver.stop();
    }
  });

  it('has commands that are answered as it says', async () => {
    const admin = daemon.token({ tenant: 'acme', scope: 'admin' });
    const here = `cd ${directory}; printf 'a,b\\n1,2\\n' > report.csv\n`;
    await expectPage('webhooks.md', 'webhooks', daemon, (commands) =>
      `${here}${commands}`.replace('$(npm run -s workspaced -- token --tenant acme --scope admin)', admin),
    );
  });
});
