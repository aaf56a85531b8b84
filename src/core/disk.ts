import bytes from 'bytes';
import { FsError } from '../errors.ts';
import type { DataRoot } from '../tree/root.ts';

/** Keeps back some free space of the disk that holds everything. */
export interface Disk {
  /** @throws quota_exceeded when this many bytes more would leave less free than is kept back */
  demandRoom(moreBytes: number): Promise<void>;
}

const FRESH_MS = 1000;

/** Free space is asked for at most once a second; what was granted since is taken off the answer. */
export function openDisk(root: DataRoot, reserveBytes: number): Disk {
  let asked: Promise<number> | null = null;
  let askedAt = 0;
  let grantedBytes = 0;

  function freeBytes(): Promise<number> {
    const now = performance.now();
    if (asked === null || now - askedAt > FRESH_MS) {
      askedAt = now;
      grantedBytes = 0;
      asked = root.freeBytes();
      asked.catch(() => {
        asked = null;
      });
    }
    return asked;
  }

  return {
    async demandRoom(moreBytes) {
      if (reserveBytes === 0) return;
      const free = (await freeBytes()) - grantedBytes;
      if (free - moreBytes < reserveBytes) {
        const kept = bytes(reserveBytes, { unitSeparator: ' ' });
        throw new FsError(
          'quota_exceeded',
          `the disk is nearly full: the daemon keeps ${kept} free and takes no more writes until there is room`,
          { requested: moreBytes },
        );
      }
      grantedBytes += moreBytes;
    },
  };
}
