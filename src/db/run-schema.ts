export interface RunRow {
  id: string;
  tenant: string;
  agent: string;
  user_id: string | null;
  session_id: string | null;
  status: 'preparing' | 'running' | 'completed' | 'failed' | 'cancelled';
  /** The instance preparing or finishing it; a dead one's work is rolled back or finished by another. */
  instance: string;
  /** The final status a finish under way will set, so that a crash in it can be completed; null otherwise. */
  finishing: 'completed' | 'failed' | 'cancelled' | null;
  /** JSON: the capture rules asked for. */
  capture: string;
  /** JSON: which automatic inputs are wanted: 'all', 'none' or ids. */
  inputs: string;
  timeout_seconds: number;
  /** When it ends `failed` without a heartbeat. */
  deadline_at: number;
  seeded_files: number;
  seeded_bytes: number;
  started_at: number;
  finished_at: number | null;
}

/** At most one run that has not ended per workspace: the primary key decides. */
export interface LiveRunRow {
  tenant: string;
  agent: string;
  run_id: string;
}

export interface SeedRow {
  run_id: string;
  n: number;
  path: string;
  size: number;
  sha256: string;
  /** JSON of the public `source`: {path} or {file_id}. */
  source: string;
  /** 1 for inputs put in automatically: taken out again at the finish of a shared workspace. */
  automatic: number;
}

/** One step a copy-in is about to take. Rows live only while the run is `preparing` (or a delivery is under way). */
export interface JournalRow {
  run_id: string;
  n: number;
  path: string;
  kind: 'file' | 'directory';
  /** Entry.inode of what is placed; '' for a directory. */
  inode: string;
  /** The name in staging that what it replaces is kept under; null where nothing was there. */
  aside: string | null;
}

/** What a workspace held when its run began, file by file; capture is the difference to it. */
export interface ManifestRow {
  tenant: string;
  agent: string;
  /** `pathHash` of the path: the key, as the path itself may be too long for an index. */
  path_hash: string;
  path: string;
  version: string;
  size: number;
  sha256: string;
}

/** What became of one changed path of a run: an object, or the reason it was skipped. */
export interface OutputRow {
  run_id: string;
  /** As in the manifest. */
  path_hash: string;
  path: string;
  object_id: string | null;
  /** Entry.version at the capture. */
  version: string | null;
  reason: string | null;
}
