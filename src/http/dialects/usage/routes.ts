import type { z } from 'zod';
import type { Core } from '../../../core/core.ts';
import type { Call, Reply, Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import {
  dailyQuery,
  dailyReply,
  decodeDays,
  decodeWhose,
  encodeCsv,
  encodeDays,
  encodeUsage,
  usageQuery,
  usageReply,
} from './wire.ts';

const CSV = 'text/csv';
const OTHERS = { description: 'The credential is bound to another user.' };

/** What a tenant, its users and its agents hold and transfer. */
export function usageDialect(): Dialect {
  return { name: 'usage', mounts: ['/v1/usage'], routes: (core) => [usage(core), daily(core)] };
}

function usage(core: Core): Route {
  return {
    method: 'GET',
    path: '',
    name: 'usage.get',
    summary: 'What the tenant, one user or one agent holds now, and has transferred since the beginning.',
    access: 'usage:read',
    query: usageQuery,
    replies: { 200: { description: 'The account.', schema: usageReply }, 403: OTHERS },
    handle: async (call) => {
      const report = await core.usage.report(call.grant, decodeWhose(call.query<z.infer<typeof usageQuery>>()));
      return { status: 200, json: encodeUsage(call.grant.tenant, report) };
    },
  };
}

function daily(core: Core): Route {
  return {
    method: 'GET',
    path: '/daily',
    name: 'usage.daily',
    summary: 'What was transferred, day by day in UTC, as JSON or CSV; at most 400 days.',
    access: 'usage:read',
    query: dailyQuery,
    replies: {
      200: { description: 'Each day from the first to the last, or to today.', schema: dailyReply },
      400: { description: 'A day that is none, or days in the wrong order, or too many.' },
      403: OTHERS,
    },
    handle: async (call) => {
      const query = call.query<z.infer<typeof dailyQuery>>();
      const days = await core.usage.days(call.grant, decodeWhose(query), decodeDays(query));
      if (!asksCsv(call, query.format)) {
        return { status: 200, headers: { Vary: 'Accept' }, json: encodeDays(call.grant.tenant, days) };
      }
      return csvReply(encodeCsv(days));
    },
  };
}

function csvReply(text: string): Reply {
  const headers = { Vary: 'Accept', 'Content-Disposition': 'attachment; filename="usage.csv"' };
  return { status: 200, headers, text, contentType: `${CSV}; charset=utf-8; header=present` };
}

/** A client that takes JSON as well gets JSON. */
function asksCsv(call: Call, format: 'json' | 'csv' | undefined): boolean {
  if (format !== undefined) return format === 'csv';
  const types = (call.header('accept') ?? '').split(',').map((part) => part.split(';', 1)[0]?.trim().toLowerCase());
  return types.includes(CSV) && !types.includes('application/json');
}
