import type { Database } from '../../db/schema.ts';
import type { AccountState } from '../../db/usage.ts';
import type { AgentId, TenantId } from '../../ids.ts';
import type { Count } from '../../tree/entry.ts';
import { agentOf } from '../account.ts';
import type { Announce } from './announcer.ts';

const THRESHOLDS = [80, 90] as const;

/** What an account holds and may hold. 0 = no limit. */
export type Fullness = Pick<AccountState, 'bytes' | 'files' | 'limitBytes' | 'limitFiles'>;

export interface Crossing {
  /** Per cent of the limit. */
  readonly threshold: (typeof THRESHOLDS)[number];
  readonly unit: 'bytes' | 'files';
  readonly used: number;
  readonly limit: number;
}

/** Every threshold that was not reached before and is now, whether more is held or the limit was lowered. */
export function crossings(before: Fullness, now: Fullness): readonly Crossing[] {
  const units = [
    { unit: 'bytes', was: [before.bytes, before.limitBytes], is: [now.bytes, now.limitBytes] },
    { unit: 'files', was: [before.files, before.limitFiles], is: [now.files, now.limitFiles] },
  ] as const;
  return units.flatMap(({ unit, was, is: [used, limit] }) =>
    THRESHOLDS.filter((threshold) => reaches(threshold, used, limit) && !reaches(threshold, ...was)).map(
      (threshold) => ({ threshold, unit, used, limit }),
    ),
  );
}

function reaches(threshold: number, used: number, limit: number): boolean {
  return limit > 0 && used * 100 >= limit * threshold;
}

/** Announces the thresholds that accounts crossed by a change, which `accounts` contain already. Costs nothing where none did. */
export async function announceGrowth(
  announce: Announce,
  transaction: Database,
  tenant: TenantId,
  accounts: readonly AccountState[],
  change: Count,
): Promise<void> {
  for (const account of accounts) {
    const before = { ...account, bytes: account.bytes - change.bytes, files: account.files - change.files };
    await announceCrossings(announce, transaction, { tenant, part: account.part }, before, account);
  }
}

/** Announces the thresholds that one account crossed. */
export async function announceCrossings(
  announce: Announce,
  transaction: Database,
  account: { readonly tenant: TenantId; readonly part: string },
  before: Fullness,
  now: Fullness,
): Promise<void> {
  const agent: AgentId | null = agentOf(account);
  const about = { account: agent === null ? 'tenant' : 'workspace', agent_id: agent };
  for (const crossing of crossings(before, now)) {
    await announce(transaction, account.tenant, 'quota.warning', () => ({ ...about, ...crossing }));
  }
}
