/** `npm run demo`: the main job from end to end, on a daemon and a data root of its own. Exits 0 only if every step held. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { makeToken } from '../../src/auth/token.ts';
import { type DemoFile, demoFiles } from './files.ts';

const TENANT = 'acme';
const AGENT = 'analyst';
const BATCH_BYTES = 8_000_000;
const secret = randomBytes(32).toString('hex');

interface RunBody {
  readonly run_id: string;
  readonly seeded_files: number;
  readonly seeded_bytes: number;
  readonly outputs: readonly { readonly id: string; readonly path: string; readonly size: number }[];
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function step(title: string): void {
  console.log(`\n── ${title}`);
}

function check(holds: boolean, claim: string): void {
  if (!holds) throw new Error(`did not hold: ${claim}`);
  console.log(`   ✔ ${claim}`);
}

async function startDaemon(dataDir: string): Promise<{ child: ChildProcess; url: string }> {
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  const env = {
    ...process.env,
    DATA_DIR: dataDir,
    PORT: '0',
    JWT_SECRET: secret,
    LOG_LEVEL: 'warn',
    NODE_ENV: 'production',
  };
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(child.stdout)) {
    const url = /listening on (http:\/\/\S+)/.exec(line)?.[1];
    if (url !== undefined) return { child, url };
  }
  throw new Error('the daemon ended before it listened');
}

/** A client of one daemon with one credential. */
function client(url: string, claims: { agent?: string; scope?: string }) {
  const bearer = makeToken(secret, { subject: 'demo', tenant: TENANT, ...claims }, 3600);
  return async (
    method: string,
    path: string,
    body?: FormData | Uint8Array<ArrayBuffer> | object,
  ): Promise<Response> => {
    const raw = body instanceof FormData || body instanceof Uint8Array;
    const headers: Record<string, string> = { authorization: `Bearer ${bearer}` };
    if (body !== undefined && !(body instanceof FormData)) {
      headers['content-type'] = raw ? 'application/octet-stream' : 'application/json';
    }
    const sent =
      body === undefined
        ? {}
        : { body: body instanceof FormData || body instanceof Uint8Array ? body : JSON.stringify(body) };
    const response = await fetch(url + path, { method, headers, ...sent });
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
    return response;
  };
}

type Client = ReturnType<typeof client>;

async function uploadAll(api: Client): Promise<{ files: number; bytes: number }> {
  let sent = { files: 0, bytes: 0 };
  let batch: DemoFile[] = [];
  const flush = async () => {
    const form = new FormData();
    for (const file of batch) form.append('files', new Blob([new Uint8Array(file.body)]), file.path);
    await api('POST', '/api/v1/files/upload', form);
    sent = {
      files: sent.files + batch.length,
      bytes: sent.bytes + batch.reduce((sum, file) => sum + file.body.length, 0),
    };
    console.log(`   ${sent.files} files, ${megabytes(sent.bytes)}`);
    batch = [];
  };
  for (const file of demoFiles()) {
    batch.push(file);
    if (batch.reduce((sum, each) => sum + each.body.length, 0) >= BATCH_BYTES) await flush();
  }
  if (batch.length > 0) await flush();
  return sent;
}

async function play(url: string): Promise<void> {
  const api = client(url, {});
  const admin = client(url, { scope: 'admin' });

  step('The tenant uploads its files to the store');
  const sent = await uploadAll(api);
  check(sent.files >= 200 && sent.bytes >= 50_000_000, `uploaded ${sent.files} files, ${megabytes(sent.bytes)}`);

  step('A run starts: the right files are copied into the agent’s workspace first');
  const began = performance.now();
  const wanted = {
    files: ['contracts', 'datasets/**/*.csv', { path: 'brand/logo.png', to: '/data/logo.png', mode: 'ro' }],
  };
  const run = (await (await api('POST', `/agent/${AGENT}/runs`, wanted)).json()) as RunBody;
  const took = Math.round(performance.now() - began);
  check(
    run.seeded_files === 222,
    `seeded ${run.seeded_files} files, ${megabytes(run.seeded_bytes)} in ${took} ms; archive/ stayed behind`,
  );

  step('The agent works in its mounted directory, as a process of its own');
  const mount = (await (await admin('GET', `/agent/${AGENT}/mount`)).json()) as { host_path: string };
  const agent = new URL('./agent.ts', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [agent], { cwd: mount.host_path });
  console.log(`   ${stdout.trim()}`);

  step('… and over REST, with a token that reaches this one workspace only');
  const asAgent = client(url, { agent: AGENT });
  const note = Buffer.from('Two regions are ahead of plan; see the report.\n');
  await asAgent('POST', `/agent/${AGENT}/filesystem/files/out/note.txt`, new Uint8Array(note));
  const seen = await readFile(join(mount.host_path, 'out/note.txt'));
  check(seen.equals(note), 'what was written over REST is in the mounted directory');
  const report = await readFile(join(mount.host_path, 'out/report.md'));
  const overRest = await asAgent('GET', `/agent/${AGENT}/filesystem/files/out/report.md?raw=true`);
  check(
    Buffer.from(await overRest.arrayBuffer()).equals(report),
    'what was written to the directory is read over REST',
  );

  step('The run finishes: what changed is captured');
  const ended = (await (await api('POST', `/agent/${AGENT}/runs/${run.run_id}/finish`, {})).json()) as RunBody;
  for (const output of ended.outputs) console.log(`   ${output.id}  ${output.path}  ${output.size} bytes`);
  const captured = ended.outputs.map((output) => output.path).sort();
  check(
    captured.join() === '/out/note.txt,/out/report.md,/out/summary.json',
    `captured ${captured.length} outputs and nothing else`,
  );

  step('Someone downloads one by signed URL, with no credential');
  const output = ended.outputs.find((each) => each.path === '/out/report.md');
  const link = (await (await api('GET', `/v1/files/${output?.id}/url?expiresIn=15m`)).json()) as { url: string };
  const bytes = new Uint8Array(await (await fetch(link.url)).arrayBuffer());
  check(
    sha256(bytes) === sha256(report),
    `downloaded ${bytes.length} bytes, byte-exact: sha256 ${sha256(bytes).slice(0, 16)}…`,
  );
  const tampered = await fetch(`${link.url.slice(0, -1)}${link.url.endsWith('A') ? 'B' : 'A'}`);
  check(tampered.status === 403, 'the same URL with one character changed is refused');
}

const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-demo-'));
const { child, url } = await startDaemon(dataDir);
console.log(`a daemon of its own on ${url}, data root ${dataDir}`);
try {
  await play(url);
  console.log('\nThe main job held from end to end.');
} catch (error) {
  console.error(`\n   ✘ ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  child.kill('SIGTERM');
  await once(child, 'exit');
  await rm(dataDir, { recursive: true, force: true });
}
