import { z } from 'zod';
import type { Key, Rescan, Tenant } from '../../../core/core.ts';
import { queryFlag } from '../../decode.ts';
import { amount, nextCursor, pageQuery, timestamp } from '../../verbs/shapes.ts';

export const listQuery = z.object(pageQuery(100, 1000));

export const tenantBody = z.object({
  quota_bytes: amount.optional().describe('0 is no limit; absent leaves what it is, or the default of a new tenant.'),
  quota_files: amount.optional().describe('Files and directories together. 0 is no limit.'),
});

const count = z.object({ bytes: z.number().int(), files: z.number().int() });

export const tenantObject = z.object({
  tenant: z.string().meta({ example: 'acme' }),
  quota_bytes: z.number().int(),
  quota_files: z.number().int(),
  usage: count.extend({ reserved_bytes: z.number().int() }),
  created_at: timestamp,
});

export const tenantsReply = z.object({ tenants: z.array(tenantObject), next_cursor: nextCursor });

export const keyBody = z.object({
  scope: z
    .string()
    .min(1)
    .optional()
    .describe('Space-separated; all but admin by default.')
    .meta({ example: 'store:read' }),
  agent: z.string().min(1).optional().describe('Binds the key to this one agent.'),
});

const keyObject = z.object({
  id: z.string(),
  scope: z.string().nullable(),
  agent: z.string().nullable(),
  created_at: timestamp,
});

export const newKeyReply = keyObject.extend({ key: z.string().describe('The key itself, shown this once.') });
export const keysReply = z.object({ keys: z.array(keyObject) });

export const rescanQuery = z.object({
  dry_run: queryFlag.default(false).describe('Compare only; mend nothing.'),
});

export const rescanReply = z.object({ ledger: count, disk: count, drift: count, repaired: z.boolean() });

export function encodeTenant({ id, usage, createdAt }: Tenant): z.infer<typeof tenantObject> {
  return {
    tenant: id,
    quota_bytes: usage.quotaBytes,
    quota_files: usage.quotaFiles,
    usage: { bytes: usage.bytes, files: usage.files, reserved_bytes: usage.reservedBytes },
    created_at: createdAt.toISOString(),
  };
}

export function encodeKey({ id, scope, agent, createdAt }: Key): z.infer<typeof keyObject> {
  return { id, scope, agent, created_at: createdAt.toISOString() };
}

export function encodeRescan({ ledger, disk, drift, repaired }: Rescan): z.infer<typeof rescanReply> {
  const pair = ({ bytes, files }: Rescan['ledger']) => ({ bytes, files });
  return { ledger: pair(ledger), disk: pair(disk), drift: pair(drift), repaired };
}
