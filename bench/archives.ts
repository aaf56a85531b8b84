import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { startProcess, token } from '../test/support/process.ts';

/**
 * Packing and extracting a mixed tree, beside the tools people have for it, in the same run on the same disk. The tools
 * flush nothing; the daemon is measured both as it is by default and with DURABILITY=none.
 */

const DIRECTORIES = 80;
const FILES_IN_EACH = 50;
const LARGE = 12;
const LARGE_BYTES = 4 * 1024 * 1024;
const AUTHORIZATION = `Bearer ${token({ tenant: 'bench' })}`;

/** One way of doing each of the four things in a directory that has the tree as `src`. Each gives seconds. */
interface Packer {
  readonly name: string;
  readonly take: (task: Task, round: number) => Promise<number>;
  readonly stop: () => Promise<void>;
}

type Task = 'zip' | 'tar.gz' | 'unzip' | 'untar.gz';

const TASKS: readonly (readonly [Task, string])[] = [
  ['zip', 'zip at level 6'],
  ['tar.gz', 'tar.gz at level 6'],
  ['unzip', 'extract the zip'],
  ['untar.gz', 'extract the tar.gz'],
];

/** Numbers that look random and are the same in every run. */
function* noise(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

const WORDS =
  'const return await function export import type interface readonly string number if else for of new throw'.split(' ');

/** Half of it compresses like source code, half like pictures. */
function content(bytes: number, seed: number): Buffer {
  const numbers = noise(seed);
  if (seed % 2 === 0) {
    const raw = Buffer.alloc(bytes);
    for (let at = 0; at + 4 <= bytes; at += 4) raw.writeUInt32LE(numbers.next().value, at);
    return raw;
  }
  const parts: string[] = [];
  for (let length = 0; length < bytes; length += parts.at(-1)?.length ?? 1) {
    const value = numbers.next().value;
    parts.push(`${WORDS[(value >>> 8) % WORDS.length]} ${(value >>> 16).toString(36)}${value % 5 === 0 ? '\n' : ' '}`);
  }
  return Buffer.from(parts.join('')).subarray(0, bytes);
}

/** Some thousand small files and a few large ones, about 100 MB. */
async function makeTree(at: string): Promise<void> {
  for (let n = 0; n < DIRECTORIES; n += 1) {
    const directory = join(at, `part-${n % 8}`, `module-${n}`);
    await mkdir(directory, { recursive: true });
    for (let f = 0; f < FILES_IN_EACH; f += 1) {
      const seed = n * FILES_IN_EACH + f + 1;
      await writeFile(join(directory, `file-${f}.dat`), content(500 + ((seed * 7919) % 25_000), seed));
    }
  }
  await mkdir(join(at, 'large'));
  for (let n = 0; n < LARGE; n += 1) await writeFile(join(at, 'large', `${n}.bin`), content(LARGE_BYTES, n + 1));
}

/** Each round makes something new: ext4 takes long to give out inodes that were just freed. */
const TOOLS: Readonly<Record<Task, (round: number) => readonly [command: string, ...args: string[]]>> = {
  zip: (round) => ['zip', '-6', '-q', '-r', `${round}.zip`, 'src'],
  'tar.gz': (round) => ['tar', '-I', 'gzip -6', '-cf', `${round}.tgz`, 'src'],
  unzip: (round) => ['unzip', '-q', '0.zip', '-d', `zip-${round}`],
  'untar.gz': (round) => ['tar', '-xzf', '0.tgz', '-C', `tgz-${round}`],
};

async function tools(directory: string): Promise<Packer> {
  await makeTree(join(directory, 'src'));
  return {
    name: 'Info-ZIP, GNU tar',
    take: async (task, round) => {
      const [command, ...args] = TOOLS[task](round);
      if (task === 'untar.gz') await mkdir(join(directory, `tgz-${round}`));
      return seconds(async () =>
        execFileSync(command, args, { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] }),
      );
    },
    stop: async () => undefined,
  };
}

async function workspaced(directory: string, durability: 'fsync' | 'none'): Promise<Packer> {
  const daemon = await startProcess(directory, { TENANT_QUOTA_BYTES: '0', DURABILITY: durability });
  await post(daemon.url, '/agent', { agent_id: 'bench' });
  await makeTree(join(directory, 'tenants/bench/agents/bench/tree/src'));
  await post(daemon.url, '/agent/bench/filesystem/archives', { paths: ['src/large/0.bin'] });
  const archives = '/agent/bench/filesystem/archives';
  const bodies: Readonly<Record<Task, (round: number) => readonly [string, object]>> = {
    zip: (round) => [archives, { paths: ['src'], output_path: `${round}.zip`, compression_level: 6 }],
    'tar.gz': (round) => [archives, { paths: ['src'], output_path: `${round}.tgz`, compression_level: 6 }],
    unzip: (round) => [`${archives}/extract`, { archive_path: '0.zip', destination: `zip-${round}` }],
    'untar.gz': (round) => [`${archives}/extract`, { archive_path: '0.tgz', destination: `tgz-${round}` }],
  };
  return {
    name: `workspaced, DURABILITY=${durability}`,
    take: (task, round) => seconds(() => post(daemon.url, ...bodies[task](round))),
    stop: async () => void (await daemon.stop()),
  };
}

function post(url: string, path: string, json: object): Promise<void> {
  const headers = { authorization: AUTHORIZATION, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { method: 'POST', headers }, (answer) => {
      const isDone = (answer.statusCode ?? 0) < 300;
      answer.resume().on('end', () => (isDone ? resolve() : reject(new Error(`${path}: ${answer.statusCode}`))));
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(json));
  });
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}

function isInstalled(command: string): boolean {
  try {
    execFileSync(command, [command === 'unzip' ? '-v' : '--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Prints what each takes for each task, and how that compares to the tools. The caller removes `home`. */
export async function benchArchives(home: string, rounds: number): Promise<void> {
  const absent = ['zip', 'unzip', 'tar', 'gzip'].filter((command) => !isInstalled(command));
  if (absent.length > 0) {
    console.log(`\narchives: ${absent.join(', ')} absent (Debian: apt-get install zip unzip tar gzip)`);
    return;
  }
  const packers: Packer[] = [];
  try {
    packers.push(await tools(join(home, 'tools')));
    for (const durability of ['none', 'fsync'] as const) {
      packers.push(await workspaced(join(home, `archives-${durability}`), durability));
    }
    for (const [task, name] of TASKS) await measure(packers, task, name, rounds);
  } finally {
    for (const { stop } of packers) await stop();
  }
}

async function measure(packers: readonly Packer[], task: Task, name: string, rounds: number): Promise<void> {
  const taken = packers.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [n, packer] of packers.entries()) taken[n]?.push(await packer.take(task, round));
  }
  const base = median(taken[0] ?? []);
  console.log(`\n${name}, ${DIRECTORIES * FILES_IN_EACH + LARGE} files, and as a multiple of the tool's time`);
  for (const [n, packer] of packers.entries()) {
    const value = median(taken[n] ?? []);
    console.log(
      `  ${packer.name.padEnd(30)} ${value.toFixed(2).padStart(6)} s   ${(value / base).toFixed(2).padStart(6)} x`,
    );
  }
}
