/**
 * Opens archives made here with the tools people have: unzip (Info-ZIP), GNU tar, bsdtar. Says which tools this
 * machine lacks; fails where one refuses an archive or takes something else out of it than went in.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ArchiveMember } from '../src/archive/format.ts';
import { ARCHIVE_FORMATS } from '../src/archive/formats.ts';
import { parsePath } from '../src/tree/path.ts';

const MODIFIED_AT = new Date('2024-03-05T06:07:09Z');

/** By the names of formats they read: what tests or unpacks `archive` in the working directory. */
const TOOLS: readonly {
  readonly tool: string;
  readonly reads: RegExp;
  readonly args: (archive: string) => string[];
}[] = [
  { tool: 'unzip', reads: /^zip$/, args: (archive) => ['-q', archive] },
  { tool: 'bsdtar', reads: /./, args: (archive) => ['-xpf', archive] },
  { tool: 'tar', reads: /^tar/, args: (archive) => ['-xpf', archive] },
];

function member(path: string, kind: ArchiveMember['kind'], content: string, mode: number): ArchiveMember {
  const bytes = Buffer.from(content);
  return {
    path: parsePath(path),
    kind,
    size: kind === 'file' ? bytes.length : 0,
    target: kind === 'symlink' ? content : null,
    mode,
    modifiedAt: MODIFIED_AT,
    open: async () => Readable.from([bytes], { objectMode: false }),
  };
}

const MEMBERS: readonly ArchiveMember[] = [
  member('empty', 'directory', '', 0o755),
  member('hello.txt', 'file', 'hello\n', 0o444),
  member('run.sh', 'file', '#!/bin/sh\n', 0o755),
  member('nothing', 'file', '', 0o600),
  member('é 文件: x.txt', 'file', 'name\n', 0o644),
  member('large', 'file', 'x'.repeat(3_000_000), 0o644),
  member(`deep/${'n'.repeat(180)}`, 'file', 'deep\n', 0o644),
  member('link', 'symlink', 'hello.txt', 0o777),
];

/** What differs between the members and what lies in the directory, in words. */
function differences(dir: string): readonly string[] {
  const found = readdirSync(dir).length;
  const wanted = new Set(MEMBERS.map(({ path }) => path.split('/')[0])).size;
  const few = found === wanted ? [] : [`${found} names at the top, not ${wanted}`];
  return [
    ...few,
    ...MEMBERS.flatMap((each) => difference(join(dir, each.path), each).map((what) => `${each.path}: ${what}`)),
  ];
}

function difference(path: string, { kind, size, target, mode }: ArchiveMember): readonly string[] {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return ['is missing'];
  if (kind === 'symlink')
    return stats.isSymbolicLink() && readlinkSync(path) === target ? [] : ['is not the link it was'];
  const wrong: string[] = [];
  if (stats.isDirectory() !== (kind === 'directory')) wrong.push('is of another kind');
  if ((stats.mode & 0o777) !== mode) wrong.push(`has mode ${(stats.mode & 0o777).toString(8)}`);
  if (stats.mtime.getTime() !== MODIFIED_AT.getTime()) wrong.push(`is of ${stats.mtime.toISOString()}`);
  if (kind === 'file' && readFileSync(path).length !== size) wrong.push('has another length');
  return wrong;
}

async function* all(): AsyncGenerator<ArchiveMember> {
  yield* MEMBERS;
}

function isThere(tool: string): boolean {
  return spawnSync(tool, ['--version']).error === undefined;
}

const home = mkdtempSync(join(tmpdir(), 'workspaced-tools-'));
try {
  for (const { tool } of TOOLS) if (!isThere(tool)) console.log(`${tool} is not on this machine: not tried`);
  for (const { name, pack } of ARCHIVE_FORMATS) {
    if (pack === null) continue;
    const archive = join(home, `archive.${name}`);
    const signal = new AbortController().signal;
    writeFileSync(archive, Buffer.concat(await pack(all(), { level: null, signal }).toArray()));
    for (const { tool, args } of TOOLS.filter((each) => each.reads.test(name) && isThere(each.tool))) {
      const cwd = mkdtempSync(join(home, 'out-'));
      execFileSync(tool, args(archive), {
        cwd,
        stdio: 'inherit',
        env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
      });
      const wrong = differences(cwd);
      console.log(`${name} by ${tool}: ${wrong.length === 0 ? 'as it went in' : wrong.join('; ')}`);
      if (wrong.length > 0) process.exitCode = 1;
    }
  }
} finally {
  rmSync(home, { recursive: true });
}
