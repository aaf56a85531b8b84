/** Search over HTTP beside the tools people would run in a shell, on the same files, in turns. Part of `npm run bench`. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DaemonProcess, startProcess, token } from '../test/support/process.ts';

const ROUNDS = 5;
const MIXED_BYTES = 200 * 1024 * 1024;
const NAMED_FILES = 100_000;
const FILES_A_DIRECTORY = 500;
const WORDS = 'the region sold north of what it made while amounts in south rose by quarter and year'.split(' ');

interface Contest {
  readonly name: string;
  readonly agent: string;
  readonly query: object;
  readonly rival: readonly [command: string, ...args: readonly string[]];
}

const CONTESTS: readonly Contest[] = [
  {
    name: `a text of 200 MB of mixed files, in one of a thousand`,
    agent: 'mixed',
    query: { query: 'NEEDLE', type: 'content', max_results: 10_000, include_ignored: true },
    rival: ['rg', '--no-ignore', '--hidden', '--line-number', '--fixed-strings', 'NEEDLE', '.'],
  },
  {
    name: 'the same in any case',
    agent: 'mixed',
    query: { query: 'needle', type: 'content', case_sensitive: false, max_results: 10_000, include_ignored: true },
    rival: ['rg', '--no-ignore', '--hidden', '--line-number', '--ignore-case', '--fixed-strings', 'needle', '.'],
  },
  {
    name: 'the same by an expression',
    agent: 'mixed',
    query: { query: 'N[A-Z]+LE', regex: true, max_results: 10_000, include_ignored: true },
    rival: ['rg', '--no-ignore', '--hidden', '--line-number', 'N[A-Z]+LE', '.'],
  },
  {
    name: `one name in ten of ${NAMED_FILES}`,
    agent: 'named',
    query: { query: '*.csv', max_results: 10_000 },
    rival: ['find', '.', '-name', '*.csv'],
  },
  {
    name: `a name that none of ${NAMED_FILES} has`,
    agent: 'named',
    query: { query: '*.none' },
    rival: ['find', '.', '-name', '*.none'],
  },
];

const headers = { authorization: `Bearer ${token({ tenant: 'bench' })}`, 'content-type': 'application/json' };
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Prints how long each search took, and the rival's time as one. */
export async function benchSearch(directory: string): Promise<void> {
  const root = join(directory, 'root');
  const daemon = await startProcess(root, { TENANT_QUOTA_BYTES: '0', TENANT_QUOTA_FILES: '0' });
  const tree = (agent: string) => join(root, 'tenants', 'bench', 'agents', agent, 'tree');
  try {
    for (const agent of ['mixed', 'named']) {
      const body = JSON.stringify({ agent_id: agent });
      await demandOk(await fetch(`${daemon.url}/agent`, { method: 'POST', headers, body }));
    }
    await makeMixed(tree('mixed'));
    await makeNamed(tree('named'));
    for (const contest of CONTESTS) await hold(daemon, contest, tree(contest.agent));
  } finally {
    await daemon.stop();
  }
}

async function hold(daemon: DaemonProcess, contest: Contest, tree: string): Promise<void> {
  const [command, ...args] = contest.rival;
  console.log(`\n${contest.name}, over HTTP, and as a multiple of ${command}`);
  const isThere = isInstalled(command);
  const [mine, theirs]: [number[], number[]] = [[], []];
  let total = 0;
  // The first round of each warms what it needs.
  for (let round = 0; round <= ROUNDS; round += 1) {
    const before = performance.now();
    total = await search(daemon, contest);
    const between = performance.now();
    if (isThere) await once(spawn(command, args, { cwd: tree, stdio: ['ignore', 'ignore', 'inherit'] }), 'exit');
    if (round > 0) mine.push(between - before);
    if (round > 0) theirs.push(performance.now() - between);
  }
  const ratio = isThere ? `${(median(mine) / median(theirs)).toFixed(2).padStart(6)} x` : '';
  console.log(`  workspaced ${Math.round(median(mine)).toString().padStart(10)} ms ${ratio}   ${total} found`);
  if (isThere) console.log(`  ${command.padEnd(10)} ${Math.round(median(theirs)).toString().padStart(10)} ms`);
  else console.log(`  ${command}: absent (Debian: apt-get install ripgrep findutils)`);
}

async function search(daemon: DaemonProcess, { agent, query }: Contest): Promise<number> {
  const url = `${daemon.url}/agent/${agent}/filesystem/operations/search`;
  const answer = await demandOk(await fetch(url, { method: 'POST', headers, body: JSON.stringify(query) }));
  const { total, truncated } = JSON.parse(answer) as { total: number; truncated: boolean };
  if (truncated && total < 10_000) throw new Error('the search was cut off: its time says nothing');
  return total;
}

async function demandOk(response: Response): Promise<string> {
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}

function isInstalled(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Source files, tables, logs and binary files, of 1 KiB to 4 MiB; the text that is looked for in one of a thousand. */
async function makeMixed(tree: string): Promise<void> {
  let bytes = 0;
  for (let n = 0; bytes < MIXED_BYTES; n += 1) {
    const size = n % 100 === 99 ? 4 * 1024 * 1024 : 1024 + (n % 37) * 1024;
    const dir = join(tree, `part-${n % 23}`, `dir-${n % 211}`);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, `file-${n}.${n % 10 === 9 ? 'bin' : 'txt'}`), contentOf(n, size));
    bytes += size;
  }
}

function contentOf(n: number, size: number): Buffer {
  if (n % 10 === 9 && n % 100 !== 99) return Buffer.alloc(size, n % 256).fill(0, 0, 16);
  const lines: string[] = [];
  for (let length = 0, line = 0; length < size; line += 1) {
    const text = `${line} ${WORDS[(n + line) % WORDS.length]} ${WORDS[(n * 7 + line * 3) % WORDS.length]} ${n * line}`;
    lines.push(text);
    length += text.length + 1;
  }
  if (n % 1000 === 500) lines[lines.length >> 1] = 'here is the NEEDLE';
  return Buffer.from(`${lines.join('\n')}\n`);
}

async function makeNamed(tree: string): Promise<void> {
  for (let from = 0; from < NAMED_FILES; from += FILES_A_DIRECTORY) {
    const dir = join(tree, `d${from % 7}`, `dir-${from}`);
    await mkdir(dir, { recursive: true });
    for (let n = from; n < from + FILES_A_DIRECTORY; n += 1) {
      await writeFile(join(dir, `file-${n}.${n % 10 === 0 ? 'csv' : 'txt'}`), '');
    }
  }
}
