import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import type { Days, UsageDay, UsageReport, Whose } from '../../../core/core.ts';
import { parseDay } from '../../../core/metering/days.ts';
import { type AgentId, parseAgentId, type TenantId } from '../../../ids.ts';
import { amount } from '../../verbs/shapes.ts';

const MAX_USER = 256;

const whose = {
  userId: z.string().min(1).max(MAX_USER).optional().describe('Only what is this user’s.'),
  agentId: z.string().optional().describe('Only what is this agent’s.'),
};

const day = z.string().meta({ example: '2026-01-15' });

export const usageQuery = z.object(whose);

export const dailyQuery = z.object({
  from: day.optional().describe('The first day, in UTC. By default 29 days before `to`.'),
  to: day.optional().describe('The last day, itself included. Today by default.'),
  format: z.enum(['json', 'csv']).optional().describe('By default what `Accept` names, else JSON.'),
  ...whose,
});

const transfers = {
  uploads: amount.describe('Files that came in.'),
  downloads: amount.describe('Answers that served a file, or a part of one.'),
  bytes_in: amount.describe('Bytes of the bodies of requests.'),
  bytes_out: amount.describe('Bytes of the bodies of answers.'),
};

export const usageReply = z.object({
  tenant: z.string(),
  bytes: amount.describe('What is held now; each object at its size, also where its content is kept once for several.'),
  files: amount,
  reserved_bytes: amount.describe('Room that writes under way have reserved.'),
  limit_bytes: amount.describe('0 is no limit.'),
  limit_files: amount,
  ...transfers,
});

const dayObject = z.object({
  date: day,
  bytes: amount.nullable().describe('What the tenant held at the end of the day; null where that is not known.'),
  files: amount.nullable(),
  ...transfers,
});
type DayObject = z.infer<typeof dayObject>;

export const dailyReply = z.object({
  tenant: z.string(),
  days: z.array(dayObject).describe('Each day, oldest first.'),
});

const COLUMNS = Object.keys(dayObject.shape);

/** @throws invalid_request */
export function decodeWhose(query: z.infer<typeof usageQuery>): Whose {
  const agentId: AgentId | null = query.agentId === undefined ? null : parseAgentId(query.agentId);
  return { userId: query.userId ?? null, agentId };
}

/** @throws invalid_request */
export function decodeDays({ from, to }: z.infer<typeof dailyQuery>): Partial<Days> {
  return {
    ...(from === undefined ? {} : { from: parseDay(from, 'from') }),
    ...(to === undefined ? {} : { to: parseDay(to, 'to') }),
  };
}

export function encodeUsage(tenant: TenantId, report: UsageReport): z.infer<typeof usageReply> {
  return {
    tenant,
    bytes: report.bytes,
    files: report.files,
    reserved_bytes: report.reservedBytes,
    limit_bytes: report.quotaBytes,
    limit_files: report.quotaFiles,
    uploads: report.uploads,
    downloads: report.downloads,
    bytes_in: report.bytesIn,
    bytes_out: report.bytesOut,
  };
}

export function encodeDays(tenant: TenantId, days: readonly UsageDay[]): z.infer<typeof dailyReply> {
  return { tenant, days: days.map(encodeDay) };
}

/** RFC 4180, with a line of names. What is not known is an empty field. */
export function encodeCsv(days: readonly UsageDay[]): string {
  return stringify(days.map(encodeDay), { header: true, columns: COLUMNS, record_delimiter: 'windows' });
}

function encodeDay({ day: date, stored, uploads, downloads, bytesIn, bytesOut }: UsageDay): DayObject {
  const held = { bytes: stored?.bytes ?? null, files: stored?.files ?? null };
  return { date, ...held, uploads, downloads, bytes_in: bytesIn, bytes_out: bytesOut };
}
