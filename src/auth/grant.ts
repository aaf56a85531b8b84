import { FsError } from '../errors.ts';
import type { AgentId, ObjectId, TenantId } from '../ids.ts';

export const SCOPES = [
  'store:read',
  'store:write',
  'workspace:read',
  'workspace:write',
  'files:read',
  'files:write',
  'runs:read',
  'runs:write',
  'usage:read',
  'admin',
] as const;

export type Scope = (typeof SCOPES)[number];

/** What no scope in the credential means: all but admin. */
const DEFAULT_SCOPES: ReadonlySet<Scope> = new Set(SCOPES.filter((scope) => scope !== 'admin'));

const AGENT_DEFAULT: readonly Scope[] = ['workspace:read', 'workspace:write', 'files:read', 'files:write'];
const NEVER_AGENT: ReadonlySet<Scope> = new Set(['store:write', 'runs:write', 'usage:read', 'admin']);

export type VolumeRef =
  | { readonly kind: 'store'; readonly tenant: TenantId }
  | { readonly kind: 'workspace'; readonly tenant: TenantId; readonly agent: AgentId };

/** What the bearer of an upload link may send: the bytes of one slot, of this type, and at most so many. */
export interface UploadTerms {
  readonly object: ObjectId;
  readonly contentType: string;
  readonly maxBytes: number;
}

/** What the bearer of a token, API key or signed link may do, until when. */
export interface Grant {
  readonly tenant: TenantId;
  /** Who it was issued to: `sub` of a token, `key:<id>` of an API key. Rate limits count by it; logs name it. */
  readonly subject: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Bound to this one agent, or null. */
  readonly agent: AgentId | null;
  /** Bound to this one end user's files, or null. */
  readonly user: string | null;
  readonly expiresAt: Date | null;
  /** Of an upload link alone, which has no scope. */
  readonly upload?: UploadTerms;
}

/** The scopes a credential really has, from the words it claims. Unknown words count for nothing. */
export function grantedScopes(claimed: readonly string[] | null, agent: AgentId | null): ReadonlySet<Scope> {
  if (claimed === null) return agent === null ? DEFAULT_SCOPES : new Set(AGENT_DEFAULT);
  const known = SCOPES.filter((scope) => claimed.includes(scope));
  return new Set(agent === null ? known : known.filter((scope) => !NEVER_AGENT.has(scope)));
}

/** True when the grant carries the scope and, where a volume is named, reaches that volume. */
export function allows(grant: Grant, scope: Scope, ref?: VolumeRef): boolean {
  if (!grant.scopes.has(scope)) return false;
  if (ref === undefined) return true;
  if (ref.tenant !== grant.tenant) return false;
  return ref.kind === 'store' || grant.agent === null || grant.agent === ref.agent;
}

/** @throws forbidden naming the scope that is missing, or the agent the credential is bound to */
export function demand(grant: Grant, scope: Scope, ref?: VolumeRef): void {
  if (allows(grant, scope, ref)) return;
  const why = grant.scopes.has(scope)
    ? `this credential is bound to agent ${grant.agent} and reaches no other workspace`
    : `this credential lacks the scope ${scope}`;
  throw new FsError('forbidden', why);
}
