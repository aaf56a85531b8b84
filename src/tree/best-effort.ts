import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import type { Directory, Held, HostPath } from './directory.ts';
import { encodePath } from './path.ts';

/**
 * A directory known by its path alone, for machines without /proc. Every step is looked at before it is taken, which holds
 * against what clients ask for, but not against a process that swaps directories for links at the right moment.
 */
export async function bestEffortDirectory(path: Buffer): Promise<Directory> {
  const held = await bestEffortHeld(path);
  if (!(await held.stat()).isDirectory()) throw errno('ENOTDIR');
  const at = (name: string): Buffer => Buffer.concat([path, Buffer.from('/'), encodePath(name)]);
  return {
    ...held,
    at,
    child: (name) => bestEffortDirectory(at(name)),
    parent: () => bestEffortDirectory(path.subarray(0, path.lastIndexOf('/'))),
    leaf: (name) => bestEffortHeld(at(name)),
  };
}

async function bestEffortHeld(self: HostPath): Promise<Held> {
  const seen = await lstat(self, { bigint: true });
  return {
    self,
    stat: () => lstat(self, { bigint: true }),
    close: () => undefined,
    async reopen(flags) {
      const handle = await open(self, flags | constants.O_NOFOLLOW);
      const opened = await handle.stat({ bigint: true });
      if (opened.ino === seen.ino && opened.dev === seen.dev) return handle;
      await handle.close();
      throw errno('ENOENT');
    },
  };
}

function errno(code: 'ENOENT' | 'ENOTDIR'): Error {
  return Object.assign(new Error(code), { code, syscall: 'open' });
}
