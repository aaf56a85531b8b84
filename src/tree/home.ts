import { lstat, mkdir, opendir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FsError } from '../errors.ts';
import { flushPath, giveStaged, type HomeDisk, type Owner } from './disk.ts';
import { orNull } from './disk-error.ts';
import type { Engine } from './engine.ts';
import type { StagedBytes } from './staged-bytes.ts';

/** What the makers of homes work with. */
export interface RootDisk {
  readonly engine: Engine;
  /** Absolute, with every link resolved. */
  readonly path: string;
  /** As DataRootOptions has it; without a slash at its end. */
  readonly mountPath: string;
  readonly owner: Owner | null;
  readonly isDurable: boolean;
  readonly nextName: () => string;
  readonly stagedBytes: StagedBytes;
}

const SAFE_SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const PRIVATE = 0o700;

/** Where a home is. @throws internal for segments that are no safe names: they are of our own making */
export function homePath(disk: RootDisk, segments: readonly string[]): string {
  if (segments.length > 0 && segments.every((segment) => SAFE_SEGMENT.test(segment))) {
    return [disk.path, ...segments].join('/');
  }
  throw new FsError('internal', 'a home was asked for by a name that is not safe');
}

/** Makes what is missing of a home. */
export async function makeHome(disk: RootDisk, segments: readonly string[]): Promise<HomeDisk> {
  const { engine, owner, isDurable, nextName, stagedBytes } = disk;
  const path = homePath(disk, segments);
  const home = {
    engine,
    owner,
    isDurable,
    nextName,
    stagedBytes,
    hostPath: `${path}/tree`,
    stagingPath: `${path}/staging`,
    asides: { areUnflushed: false },
  };
  // The way to a tree is the daemon's alone: a container comes to its tree by its mount, and nobody by a path.
  // The tree is made last: where it is, the rest is.
  if ((await orNull(lstat(home.hostPath), 'ENOENT')) !== null) return home;
  for (let depth = 1; depth <= segments.length; depth++) {
    await makeDirectory(disk, [disk.path, ...segments.slice(0, depth)].join('/'), PRIVATE);
  }
  await makeDirectory(disk, home.stagingPath, PRIVATE);
  if (await makeDirectory(disk, home.hostPath)) await giveStaged(home, home.hostPath);
  return home;
}

/** False where it was there already. */
async function makeDirectory(disk: RootDisk, path: string, mode?: number): Promise<boolean> {
  if ((await orNull(mkdir(path, mode), 'EEXIST')) === null) return false;
  if (disk.isDurable) await flushPath(dirname(path));
  return true;
}

/** Every home below a data root: `tenants/<t>/store`, `tenants/<t>/objects` and `tenants/<t>/agents/<a>`. */
export async function* homesBelow(path: string): AsyncGenerator<readonly string[]> {
  for await (const tenant of namesIn(`${path}/tenants`)) {
    for await (const part of namesIn(`${path}/tenants/${tenant}`)) {
      if (part !== 'agents') yield ['tenants', tenant, part];
      else
        for await (const agent of namesIn(`${path}/tenants/${tenant}/agents`)) yield ['tenants', tenant, part, agent];
    }
  }
}

async function* namesIn(path: string): AsyncGenerator<string> {
  // ENOENT: nobody has made it yet, or it was removed meanwhile.
  const directory = await orNull(opendir(path), 'ENOENT');
  if (directory === null) return;
  for await (const { name } of directory) if (SAFE_SEGMENT.test(name)) yield name;
}
