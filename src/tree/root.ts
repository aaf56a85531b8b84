import type { Staging } from './staging.ts';
import type { Tree } from './tree.ts';

/** A tree with its staging beside it: one tenant's store, one agent's workspace, or one tenant's objects. */
export interface Home {
  readonly tree: Tree;
  readonly staging: Staging;
  /** The host's path of the tree, for mounting. Goes to admins only. */
  readonly hostPath: string;
}

/** How well paths are held inside a tree on this machine: `proc` is full confinement; `best-effort` holds against clients, not against a process inside the tree. */
export type Containment = 'proc' | 'best-effort';

/** The directory on disk that holds everything. Opened once; the only maker of homes. */
export interface DataRoot {
  readonly containment: Containment;
  /** Owner of new entries in homes, where the daemon may chown; null leaves the daemon's own. */
  /** Makes the home where it is missing, and opens it. Cheap the second time. The segments are safe names of our own making. */
  open(segments: readonly string[]): Promise<Home>;
  /** Takes the whole home away in one step and frees it. Nothing where there is none. */
  remove(segments: readonly string[]): Promise<void>;
  /** Every home there is below these segments, each as its segments. */
  homes(): AsyncIterable<readonly string[]>;
  freeBytes(): Promise<number>;
  /** @throws unavailable when the disk refuses a write, a link or a rename: for readiness */
  probe(): Promise<void>;
}
