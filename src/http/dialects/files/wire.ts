import { z } from 'zod';
import type { FileObject, ObjectFilter, PageOf } from '../../../core/core.ts';
import { parseDuration } from '../../../durations.ts';
import { FsError } from '../../../errors.ts';
import { parseAgentId, parseRunId } from '../../../ids.ts';
import { display } from '../../../tree/path.ts';
import { fileFields, purpose } from '../../verbs/file-fields.ts';
import { filePart, pageQuery, shortName, timestamp } from '../../verbs/shapes.ts';

const DEFAULT_TTL_SECONDS = 3600;
const MAX_TTL_SECONDS = 7 * 24 * 3600;

export const createBody = fileFields.extend({ content: z.string().describe('The bytes as base64.') });

export const createForm = fileFields.extend({ file: filePart });

export const listQuery = z.object({
  userId: shortName.optional(),
  purpose: purpose.optional(),
  agentId: z.string().optional(),
  sessionId: shortName.optional(),
  runId: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, { error: 'it is no run id' })
    .optional(),
  ...pageQuery(50, 1000),
});

export const urlQuery = z.object({
  expiresIn: z
    .string()
    .optional()
    .describe('`30s`, `15m`, `24h`, `7d` or seconds. One hour by default, seven days at most.')
    .meta({ example: '15m' }),
});

const nullable = z.string().nullable();

export const fileObject = z.object({
  id: z.string().meta({ example: 'file_0197a4c2f1d47e3c8f0b6f1e2d3c4b5a' }),
  filename: nullable,
  mimeType: z.string().meta({ example: 'application/pdf' }),
  size: z.number().int(),
  purpose: purpose.nullable(),
  userId: nullable,
  agentId: nullable,
  sessionId: nullable,
  runId: nullable,
  path: nullable.describe('Where in the workspace a captured output lay.'),
  sha256: z.string(),
  createdAt: timestamp,
});

export const listReply = z.object({
  data: z.array(fileObject),
  has_more: z.boolean(),
  next_cursor: z.string().optional(),
});

export const urlReply = z.object({ url: z.string(), expiresAt: timestamp });

export function encodeFile(file: FileObject): z.infer<typeof fileObject> {
  return {
    id: file.id,
    filename: file.filename,
    mimeType: file.mimeType,
    size: file.size,
    purpose: file.purpose,
    userId: file.userId,
    agentId: file.agentId,
    sessionId: file.sessionId,
    runId: file.runId,
    path: file.path === null ? null : `/${display(file.path)}`,
    sha256: file.sha256,
    createdAt: file.createdAt.toISOString(),
  };
}

export function encodeList(page: PageOf<FileObject>): z.infer<typeof listReply> {
  const more = page.next === null ? {} : { next_cursor: page.next };
  return { data: page.items.map(encodeFile), has_more: page.next !== null, ...more };
}

/** @throws invalid_request for an agent id that is none */
export function decodeFilter(query: z.infer<typeof listQuery>): ObjectFilter {
  return {
    ...(query.userId === undefined ? {} : { userId: query.userId }),
    ...(query.purpose === undefined ? {} : { purpose: query.purpose }),
    ...(query.agentId === undefined ? {} : { agentId: parseAgentId(query.agentId) }),
    ...(query.sessionId === undefined ? {} : { sessionId: query.sessionId }),
    ...(query.runId === undefined ? {} : { runId: parseRunId(query.runId) }),
  };
}

/** How long a link lives, in seconds. @throws invalid_request */
export function decodeTtl(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TTL_SECONDS;
  const seconds = parseDuration(text) ?? 0;
  if (seconds >= 1 && seconds <= MAX_TTL_SECONDS) return seconds;
  throw new FsError(
    'invalid_request',
    'expiresIn is a time such as 30s, 15m, 24h or 7d, or seconds; seven days at most',
  );
}
