import { z } from 'zod';
import type { Agent, FileObject, Mount, PageOf, Run, Seed, Seeded, Skipped, Usage } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { parseObjectId } from '../../../ids.ts';
import { display, parseDirectory } from '../../../tree/path.ts';
import { queryFlag, queryLimit } from '../../decode.ts';
import { duration } from '../../verbs/durations.ts';
import { amount, nextCursor, pageQuery, shortName, timestamp } from '../../verbs/shapes.ts';
import { snippetsOf } from './snippets.ts';

const MAX_SEEDS = 10_000;
const MAX_PATTERNS = 1000;
const MAX_SECONDS = 366 * 24 * 3600;
const DAY_SECONDS = 86_400;

const agentId = z.string().meta({ example: 'a1' });
const mode = z.enum(['rw', 'ro']).default('rw').describe('`ro` makes the copies read-only (0444).');
const to = z
  .string()
  .min(1)
  .optional()
  .describe('Where it goes in the workspace. A slash at the end means into that directory.');

const seed = z
  .union([
    z.string().min(1).meta({ example: 'datasets/**/*.csv' }),
    z.object({
      path: z.string().min(1).optional().describe('A file, directory or glob of the store.'),
      file_id: z.string().min(1).optional().describe('A file of /v1/files.'),
      to,
      mode,
    }),
  ])
  .refine((entry) => typeof entry === 'string' || (entry.path === undefined) !== (entry.file_id === undefined), {
    error: 'it has either a path or a file_id',
  });
const seeds = z
  .array(seed)
  .max(MAX_SEEDS)
  .default([])
  .describe('What is copied in before anything starts: all of it, or nothing.');

export const createBody = z.object({
  agent_id: agentId.optional().describe('Made up where it is absent.'),
  user_id: shortName.optional().describe('Whose workspace it is. By default the first user that runs in it.'),
  shared: z.boolean().default(false).describe('Several users may run in it, one after the other.'),
  lifecycle: z.enum(['persistent', 'ephemeral']).default('persistent'),
  quota_bytes: amount.optional().describe('0 is no limit but the tenant’s.'),
  quota_files: amount.optional(),
  files: seeds,
  expires_after: duration(MAX_SECONDS)
    .optional()
    .describe('Time without a live run after which it is removed: seconds, or 12h, 7d.'),
});

export const deleteQuery = z.object({ force: queryFlag.default(false).describe('Cancel a live run, uncaptured.') });

export const listQuery = z.object(pageQuery(100, 1000));

const patterns = z.array(z.string().min(1).max(4096)).max(MAX_PATTERNS);
const capture = z
  .union([
    z.boolean(),
    z.object({
      include: patterns.optional().describe('Globs of what is captured; everything by default.'),
      exclude: patterns.optional().describe('Globs of what is not, instead of the defaults.'),
    }),
  ])
  .default(true)
  .describe('`false` captures nothing.');

export const startBody = z.object({
  files: seeds,
  inputs: z
    .union([z.enum(['all', 'none']), z.array(z.string().min(1)).max(MAX_SEEDS)])
    .default('all')
    .describe('Which of the user’s agent_input files are put in.'),
  user_id: shortName.optional(),
  session_id: shortName.optional(),
  on_conflict: z
    .enum(['replace', 'keep', 'fail'])
    .default('replace')
    .describe('What becomes of files that are there already.'),
  capture,
  timeout_seconds: z.number().int().min(1).max(MAX_SECONDS).default(DAY_SECONDS),
});

export const runQuery = z.object({
  limit: queryLimit(100, 10_000).describe('How many of `seeded` and of `outputs` are shown.'),
  seeded_cursor: z.string().min(1).optional().describe('The `seeded_next_cursor` of the answer before.'),
  outputs_cursor: z.string().min(1).optional().describe('The `outputs_next_cursor` of the answer before.'),
});

export const finishBody = z.object({ status: z.enum(['completed', 'failed', 'cancelled']).default('completed') });

const nullable = z.string().nullable();
const usage = z.object({ bytes: z.number().int(), files: z.number().int(), reserved_bytes: z.number().int() });

export const agentObject = z.object({
  agent_id: agentId,
  user_id: nullable,
  shared: z.boolean(),
  lifecycle: z.enum(['persistent', 'ephemeral']),
  quota_bytes: z.number().int(),
  quota_files: z.number().int(),
  usage,
  live_run_id: nullable,
  expires_after: z.number().int().nullable().describe('Seconds.'),
  created_at: timestamp,
  active_at: timestamp,
});

const seededFile = z.object({
  path: z.string().meta({ example: '/datasets/sales.csv' }),
  size: z.number().int(),
  sha256: z.string(),
  source: z.union([z.object({ path: z.string() }), z.object({ file_id: z.string() })]),
});

export const createReply = agentObject.extend({ seeded: z.array(seededFile) });
export const listReply = z.object({ agents: z.array(agentObject), next_cursor: nextCursor });

const outputFile = z.object({
  id: z.string(),
  filename: nullable,
  mime_type: z.string(),
  size: z.number().int(),
  purpose: nullable,
  user_id: nullable,
  agent_id: nullable,
  session_id: nullable,
  run_id: nullable,
  path: nullable,
  sha256: z.string(),
  created_at: timestamp,
});

/** What a heartbeat answers: the run without its lists. */
export const runHead = z.object({
  run_id: z.string(),
  agent_id: agentId,
  user_id: nullable,
  session_id: nullable,
  status: z.enum(['preparing', 'running', 'completed', 'failed', 'cancelled']),
  seeded_files: z.number().int(),
  seeded_bytes: z.number().int(),
  started_at: timestamp,
  finished_at: timestamp.nullable(),
});

export const runObject = runHead.extend({
  seeded: z.array(seededFile),
  seeded_next_cursor: nextCursor,
  outputs: z.array(outputFile),
  outputs_next_cursor: nextCursor,
  skipped: z.array(z.object({ path: z.string(), reason: z.string() })),
});

export const runsReply = z.object({ runs: z.array(runObject), next_cursor: nextCursor });

export const mountReply = z.object({
  host_path: z.string().describe('The directory to mount at /workspace, as container engines find it.'),
  uid: z.number().int().describe('Who owns it on the disk.'),
  gid: z.number().int(),
  mode: z.string().meta({ example: '0755' }),
  strategy: z.enum(['same-uid', 'capabilities', 'idmapped-mount']),
  ownership: z.string().describe('What that strategy does, and what this deployment cannot do.'),
  snippets: z
    .object({ docker: z.string(), podman: z.string(), kubernetes: z.string() })
    .describe('To paste: two for a shell in which AGENT_IMAGE names the image, and a pod as YAML.'),
});

export function encodeMount(agentId: string, mount: Mount): z.infer<typeof mountReply> {
  const { hostPath, uid, gid, mode, strategy, sentence } = mount;
  return {
    ...{ host_path: hostPath, uid, gid, mode, strategy, ownership: sentence },
    snippets: { ...snippetsOf(agentId, mount) },
  };
}

/** The entries of `files`, as the core wants them. @throws invalid_path, not_found for an id that can be none */
export function decodeSeeds(entries: z.infer<typeof seeds>): readonly Seed[] {
  return entries.map((entry) => {
    if (typeof entry === 'string') return { from: { store: entry }, to: null, mode: 'rw' };
    const { path, file_id: fileId, to = null, mode } = entry;
    if (to !== null) parseDirectory(to); // refused before anything is looked for
    if (path !== undefined) return { from: { store: path }, to, mode };
    if (fileId === undefined) throw new FsError('invalid_request', 'an entry of files has either a path or a file_id');
    return { from: { object: parseObjectId(fileId) }, to, mode };
  });
}

export function encodeAgent(agent: Agent): z.infer<typeof agentObject> {
  return {
    agent_id: agent.id,
    user_id: agent.userId,
    shared: agent.shared,
    lifecycle: agent.lifecycle,
    quota_bytes: agent.usage.quotaBytes,
    quota_files: agent.usage.quotaFiles,
    usage: encodeUsage(agent.usage),
    live_run_id: agent.liveRun,
    expires_after: agent.expiresAfterSeconds,
    created_at: agent.createdAt.toISOString(),
    active_at: agent.activeAt.toISOString(),
  };
}

function encodeUsage({ bytes, files, reservedBytes }: Usage): z.infer<typeof usage> {
  return { bytes, files, reserved_bytes: reservedBytes };
}

export function encodeSeeded({ path, size, sha256, source }: Seeded): z.infer<typeof seededFile> {
  const from = 'path' in source ? { path: display(source.path) } : { file_id: source.fileId };
  return { path: `/${display(path)}`, size, sha256, source: from };
}

function encodeOutput(file: FileObject): z.infer<typeof outputFile> {
  return {
    id: file.id,
    filename: file.filename,
    mime_type: file.mimeType,
    size: file.size,
    purpose: file.purpose,
    user_id: file.userId,
    agent_id: file.agentId,
    session_id: file.sessionId,
    run_id: file.runId,
    path: file.path === null ? null : `/${display(file.path)}`,
    sha256: file.sha256,
    created_at: file.createdAt.toISOString(),
  };
}

export function encodeRunHead(run: Run): z.infer<typeof runHead> {
  return {
    run_id: run.id,
    agent_id: run.agent,
    user_id: run.userId,
    session_id: run.sessionId,
    status: run.status,
    seeded_files: run.seededFiles,
    seeded_bytes: run.seededBytes,
    started_at: run.startedAt.toISOString(),
    finished_at: run.finishedAt?.toISOString() ?? null,
  };
}

/** The lists that hang on a run, each a page of it. */
export interface RunLists {
  readonly seeded: PageOf<Seeded>;
  readonly outputs: PageOf<FileObject>;
  readonly skipped: readonly Skipped[];
}

export function encodeRun(run: Run, { seeded, outputs, skipped }: RunLists): z.infer<typeof runObject> {
  return {
    ...encodeRunHead(run),
    seeded: seeded.items.map(encodeSeeded),
    ...(seeded.next === null ? {} : { seeded_next_cursor: seeded.next }),
    outputs: outputs.items.map(encodeOutput),
    ...(outputs.next === null ? {} : { outputs_next_cursor: outputs.next }),
    skipped: skipped.map(({ path, reason }) => ({ path: `/${display(path)}`, reason })),
  };
}
