import { countOutputs } from '../../db/outputs.ts';
import type { StoredRun } from '../../db/runs.ts';
import type { Database, ObjectRow } from '../../db/schema.ts';
import { display } from '../../tree/path.ts';
import type { FinalStatus } from '../core.ts';
import { storedPath } from '../stored-path.ts';

/** What an event says besides its type, tenant and time, as it goes out: see docs/webhooks.md. */
export type EventData = Readonly<Record<string, unknown>>;

/** Of `file.created`. */
export function aboutFile(row: ObjectRow): EventData {
  return {
    id: row.id,
    filename: row.filename,
    mime_type: row.mime_type,
    size: row.size,
    purpose: row.purpose,
    user_id: row.user_id,
    agent_id: row.agent_id,
    session_id: row.session_id,
    run_id: row.run_id,
    path: row.path === null ? null : `/${display(storedPath(row.path))}`,
    sha256: row.sha256,
    created_at: timestamp(row.created_at),
  };
}

/** Of `run.started`. */
export function aboutStart(run: StoredRun, seeded: { readonly files: number; readonly bytes: number }): EventData {
  return { ...aboutRun(run), status: 'running', seeded_files: seeded.files, seeded_bytes: seeded.bytes };
}

/** Of `run.finished`; counts what was captured. */
export async function aboutEnd(db: Database, run: StoredRun, status: FinalStatus, now: number): Promise<EventData> {
  return { ...aboutRun(run), status, finished_at: timestamp(now), outputs: await countOutputs(db, run.id) };
}

function aboutRun(run: StoredRun): EventData {
  return {
    run_id: run.id,
    agent_id: run.agent,
    user_id: run.user_id,
    session_id: run.session_id,
    started_at: timestamp(run.started_at),
  };
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
