import { FsError } from '../../errors.ts';
import type { Sealer } from '../core-parts.ts';

/** The secret of a tenant's webhook as the database keeps it: it opens for no other tenant, and no other seal passes for it. */
export function sealSecret(seals: Sealer, tenant: string, secret: string): string {
  return seals.seal(secret, contextOf(tenant));
}

/** @throws unavailable where the key that sealed it is gone */
export function openSecret(seals: Sealer, tenant: string, sealed: string): string {
  const secret = seals.open(sealed, contextOf(tenant));
  if (secret !== null) return secret;
  throw new FsError('unavailable', 'the secret was sealed with a signing key that is not there any more; put it again');
}

function contextOf(tenant: string): string {
  return `webhook/${tenant}`;
}
