import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parsePath as p } from '../../src/tree/path.ts';
import { openDataRoot } from '../../src/tree/root.ts';
import { itNeeds, lackOfDisks } from '../support/machine.ts';
import { type Temporary, temporaryDirectory } from '../support/tree.ts';

const MIB = 1 << 20;

/** A disk of one megabyte. */
function smallDisk(): Temporary {
  const directory = temporaryDirectory();
  const path = join(directory.path, 'disk');
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=64', 'tmpfs', path]);
  return {
    path,
    [Symbol.dispose]() {
      execFileSync('umount', [path]);
      directory[Symbol.dispose]();
    },
  };
}

function body(bytes: number): Readable {
  return Readable.from(Array.from({ length: bytes / 65_536 }, () => Buffer.alloc(65_536, 'x')));
}

/** Where no disk can be mounted: a process that may write no file beyond a megabyte. */
function underFileLimit(root: string): string {
  const module = new URL('../../src/tree/root.ts', import.meta.url).href;
  const script = `
    process.on('SIGXFSZ', () => undefined);
    const { openDataRoot } = await import(${JSON.stringify(module)});
    const { Readable } = await import('node:stream');
    const root = await openDataRoot({ path: ${JSON.stringify(root)}, instance: 'limited', durability: 'none' });
    const { staging } = await root.open(['tenants', 'acme', 'store']);
    const body = Readable.from(Array.from({ length: 32 }, () => Buffer.alloc(65536)));
    const answer = await staging.receive(body, { maxBytes: 1e9 }).then(() => 'written', () => 'refused');
    console.log(answer);`;
  const limited = `ulimit -f 1024 && exec ${process.execPath} --input-type=module -e "$0"`;
  return execFileSync('bash', ['-c', limited, script], { encoding: 'utf8' }).trim();
}

describe('a disk that is full', () => {
  itNeeds(lackOfDisks(), 'refuses with quota_exceeded, leaves no part and the old content intact', async () => {
    using disk = smallDisk();
    const root = await openDataRoot({ path: disk.path, instance: 'test', durability: 'fsync' });
    const { tree, staging, hostPath } = await root.open(['tenants', 'acme', 'store']);
    const small = await staging.receive(body(MIB / 4), { maxBytes: 2 * MIB });
    await tree.place(p('f'), small, 'create');
    for (let round = 0; round < 3; round++) {
      const receiving = staging.receive(body(2 * MIB), { maxBytes: 4 * MIB });
      await expect(receiving).rejects.toMatchObject({ code: 'quota_exceeded' });
    }
    await expect(
      (async () => {
        for (let index = 0; index < 100; index++) await tree.mkdir(p(`d${index}`));
      })(),
    ).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(readdirSync(join(hostPath, '../staging'))).toEqual([]);
    expect(readFileSync(join(hostPath, 'f'))).toHaveLength(MIB / 4);
    // Removing needs a little room itself, and must do without.
    expect(await tree.remove(p('f'), { recursive: false })).toEqual({ bytes: MIB / 4, files: 1 });
  });

  it('leaves no part of a file that passes the limit of the process', () => {
    using directory = temporaryDirectory();
    expect(underFileLimit(directory.path)).toBe('refused');
    expect(readdirSync(join(directory.path, 'tenants/acme/store/staging'))).toEqual([]);
  });
});
