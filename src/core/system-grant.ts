import { type Grant, SCOPES } from '../auth/grant.ts';
import type { TenantId } from '../ids.ts';

/** What the daemon acts under on its own account: everything of one tenant, through the same doors as everyone. */
export function systemGrant(tenant: TenantId): Grant {
  return { tenant, subject: 'daemon', scopes: new Set(SCOPES), agent: null, user: null, expiresAt: null };
}
