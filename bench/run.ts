/**
 * `npm run bench`: what workspaced does in a second, beside what people would otherwise put there, on this machine, in this run.
 * Only the ratios travel; the figures are this machine's. Subjects take turns, and each figure is the median of its rounds.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchArchives } from './archives.ts';
import { download, head, perSecond, upload } from './load.ts';
import { benchSearch } from './search.ts';
import { control, nginx, rclone, type Start, type Subject, workspaced } from './subjects.ts';

const ROUNDS = Number(process.argv[2] ?? 3);
const SECONDS = Number(process.argv[3] ?? 4);
const CONNECTIONS = 32;
const SMALL = Buffer.alloc(1024, 'x');
const LARGE_BYTES = 256 * 1024 * 1024;
const STARTS: readonly Start[] = [workspaced, control, nginx, rclone];

interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly scale: number;
  readonly take: (subject: Subject, round: number) => Promise<number>;
}

const putHead = (subject: Subject, name: string, bytes: number) =>
  head('PUT', subject.path(name), { ...subject.headers, 'content-length': String(bytes) });
const getHead = (subject: Subject, name: string) =>
  head('GET', subject.path(name), { ...subject.headers, accept: 'application/octet-stream' });

const MEASURES: readonly Measure[] = [
  {
    name: `1 KiB reads, ${CONNECTIONS} connections`,
    unit: '/s',
    scale: 1,
    take: (subject) => {
      const request = Buffer.from(getHead(subject, 'small'));
      return perSecond({ ...subject, connections: CONNECTIONS, seconds: SECONDS, request: () => request });
    },
  },
  {
    name: `1 KiB PUTs, ${CONNECTIONS} connections`,
    unit: '/s',
    scale: 1,
    take: (subject, round) =>
      perSecond({
        ...subject,
        connections: CONNECTIONS,
        seconds: SECONDS,
        request: (n) => Buffer.concat([Buffer.from(putHead(subject, `put-${round}-${n}`, SMALL.length)), SMALL]),
      }),
  },
  {
    name: '256 MiB up',
    unit: ' MB/s',
    scale: 1e6,
    take: (subject) => upload(subject, putHead(subject, 'large', LARGE_BYTES), LARGE_BYTES),
  },
  { name: '256 MiB down', unit: ' MB/s', scale: 1e6, take: (subject) => download(subject, getHead(subject, 'large')) },
];

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

async function startAll(home: string): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const [n, start] of STARTS.entries()) {
    const directory = join(home, String(n));
    await mkdir(directory);
    const subject = await start(directory);
    if (typeof subject === 'string') console.log(subject);
    else subjects.push(subject);
  }
  return subjects;
}

async function prepare(subject: Subject): Promise<void> {
  await upload(subject, putHead(subject, 'small', SMALL.length), SMALL.length);
  await upload(subject, putHead(subject, 'large', LARGE_BYTES), LARGE_BYTES);
  await perSecond({ ...subject, connections: 4, seconds: 1, request: () => Buffer.from(getHead(subject, 'small')) });
}

async function measure(subjects: readonly Subject[], { name, unit, scale, take }: Measure): Promise<void> {
  const taken = subjects.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [n, subject] of subjects.entries()) taken[n]?.push(await take(subject, round));
  }
  const base = median(taken[0] ?? []);
  console.log(`\n${name}, and as a multiple of ${subjects[0]?.name}`);
  for (const [n, subject] of subjects.entries()) {
    const value = median(taken[n] ?? []);
    const figure = `${Math.round(value / scale)}${unit}`;
    console.log(
      `  ${subject.name.padEnd(20)} ${figure.padStart(12)}   ${(value / base).toFixed(2).padStart(6)} x   ${subject.promises}`,
    );
  }
}

const home = await mkdtemp(join(tmpdir(), 'workspaced-bench-'));
let subjects: Subject[] = [];
try {
  console.log(
    `${availableParallelism()} cores, node ${process.versions.node}, medians of ${ROUNDS}; the client runs on the same cores`,
  );
  subjects = await startAll(home);
  for (const subject of subjects) await prepare(subject);
  for (const each of MEASURES) await measure(subjects, each);
  for (const subject of subjects.splice(0)) await subject.stop();
  await benchSearch(join(home, 'search'));
  await benchArchives(join(home, 'archives'), ROUNDS);
} finally {
  for (const subject of subjects) await subject.stop();
  await rm(home, { recursive: true, force: true });
}
