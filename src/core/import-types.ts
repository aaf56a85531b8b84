import type { Grant, VolumeRef } from '../auth/grant.ts';
import type { Entry } from '../tree/entry.ts';
import type { TreePath } from '../tree/path.ts';
import type { Expected } from './volume-types.ts';

/** A file of the web that somebody wants in a volume. */
export interface ImportWanted {
  readonly url: string;
  readonly path: TreePath;
  readonly mode: 'create' | 'upsert';
  readonly maxBytes: number;
  readonly expected: Expected;
}

/** Files of the public web, brought into volumes. */
export interface Imports {
  /**
   * Downloads one file and writes it as `Volume.write` does: charged as it arrives, in place only when it is whole. A workspace
   * that never was comes into being once there is something to put in it.
   * @throws forbidden where imports are switched off or the host has no public address, rate_limited for a tenant that has too
   * many under way, invalid_request and unavailable for what is wrong with the server, what a write throws, the signal's reason
   */
  fetch(grant: Grant, ref: VolumeRef, wanted: ImportWanted, signal: AbortSignal): Promise<Entry>;
}
