import { isReferenced, removeOrphan } from '../../db/contents.ts';
import type { Database } from '../../db/schema.ts';
import type { TenantId } from '../../ids.ts';
import { nameOf, parentOf, ROOT, type TreePath } from '../../tree/path.ts';
import type { DataRoot, Home } from '../../tree/root.ts';
import type { Staged } from '../../tree/staging.ts';
import type { OpenFile } from '../../tree/tree.ts';
import { homeOf, lockName, objectsAccount } from '../account.ts';
import type { Locks } from '../locks.ts';

/** The bytes of objects: each content lies once per tenant, under its sha256, for as long as a row refers to it. */
export interface Contents {
  home(tenant: TenantId): Promise<Home>;
  /** Where the bytes lie, as seen from the data root: plain characters and slashes. */
  placeOf(tenant: TenantId, sha256: string): Promise<string>;
  /** @throws not_found */
  open(tenant: TenantId, sha256: string): Promise<OpenFile>;
  /** Puts staged bytes in place unless they are there already, then runs `register` before anyone can remove them. */
  keep<T>(tenant: TenantId, staged: Staged, register: () => Promise<T>): Promise<T>;
  /** Runs `unregister` while nobody adds a row for the content; removes the bytes when it answers that no row is left. */
  drop(tenant: TenantId, sha256: string, unregister: () => Promise<boolean>): Promise<void>;
  /** Removes the bytes if no row refers to them. True when it did. */
  dropIfOrphaned(tenant: TenantId, sha256: string): Promise<boolean>;
  /** Removes bytes that no row refers to, as a crash between placing and registering leaves them; says how many. */
  sweep(tenant: TenantId): Promise<number>;
}

export interface ContentsParts {
  readonly db: Database;
  readonly root: DataRoot;
  readonly locks: Locks;
}

const SHA256 = /^[0-9a-f]{64}$/;
const WALK = { depth: 2, entries: Number.MAX_SAFE_INTEGER };

export function openContents({ db, root, locks }: ContentsParts): Contents {
  const home = (tenant: TenantId) => root.open(homeOf(objectsAccount(tenant)));
  const lock = (tenant: TenantId) => lockName(objectsAccount(tenant));

  async function drop(tenant: TenantId, sha256: string, unregister: () => Promise<boolean>): Promise<void> {
    await locks.withPathLock(lock(tenant), [contentPath(sha256)], async (guard) => {
      await guard.check();
      if (!(await unregister())) return;
      // Who has the lock by now may have found the bytes and counts on them. What is left here is swept.
      await guard.check();
      await removeContent(tenant, sha256);
    });
  }

  async function dropIfOrphaned(tenant: TenantId, sha256: string): Promise<boolean> {
    let isOrphan = false;
    await drop(tenant, sha256, async () => {
      isOrphan = !(await isReferenced(db, { tenant, sha256 }));
      return isOrphan;
    });
    return isOrphan;
  }

  /** Bytes first: a row without references is found again after a crash, bytes without a row only by walking the disk. */
  async function removeContent(tenant: TenantId, sha256: string): Promise<void> {
    const { tree } = await home(tenant);
    const path = contentPath(sha256);
    if ((await tree.find(path)) !== null) await tree.remove(path, { recursive: false });
    await removeOrphan(db, { tenant, sha256 });
  }

  return {
    home,
    drop,

    placeOf: async (tenant, sha256) => `${(await home(tenant)).place}/${contentPath(sha256)}`,

    async open(tenant, sha256) {
      return (await home(tenant)).tree.open(contentPath(sha256));
    },

    async keep(tenant, staged, register) {
      const { tree, staging } = await home(tenant);
      await staging.flush([staged]);
      const path = contentPath(staged.sha256);
      return locks.withPathLock(lock(tenant), [path], async (guard) => {
        if ((await tree.find(path)) === null) {
          await guard.check();
          await tree.mkdir(parentOf(path));
          await tree.place(path, staged, 'create');
          await tree.flush([parentOf(path)]);
        }
        // Who has the lock by now may be about to remove the bytes.
        await guard.check();
        const registered = await register();
        // The same bytes were there already. Only now can these go without a loss, whatever happens.
        await staged.discard();
        return registered;
      });
    },

    dropIfOrphaned,

    async sweep(tenant) {
      let removed = 0;
      const { tree } = await home(tenant);
      for await (const entry of tree.walk(ROOT, WALK)) {
        const sha256 = nameOf(entry.path);
        if (entry.kind !== 'file' || !SHA256.test(sha256)) continue;
        if (await isReferenced(db, { tenant, sha256 })) continue;
        if (await dropIfOrphaned(tenant, sha256)) removed += 1;
      }
      return removed;
    },
  };
}

function contentPath(sha256: string): TreePath {
  // Two hex digits, a slash and hex: nothing in it needs parsing.
  return `${sha256.slice(0, 2)}/${sha256}` as TreePath;
}
