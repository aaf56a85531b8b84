import { FsError } from '../errors.ts';
import { type AgentId, parseAgentId, parseTenantId, type TenantId } from '../ids.ts';
import { type Grant, grantedScopes } from './grant.ts';

/** The longest life of a token from now. What must live longer is an API key, because a key can be revoked. */
export const MAX_TOKEN_LIFE_SECONDS = 366 * 24 * 3600;

const MAX_TEXT = 256;
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * The grant that the payload of a verified token stands for. A claim of the wrong type is never read as absent, because
 * an absent `agent`, `user` or `scope` widens what the token may do.
 * @throws unauthenticated naming the claim
 */
export function grantOfClaims(payload: unknown, now: Date): Grant {
  if (!isRecord(payload)) throw refused('its payload is no JSON object');
  const agent = agentOf(payload);
  const scope = optionalText(payload, 'scope', Number.POSITIVE_INFINITY);
  return {
    tenant: tenantOf(payload),
    subject: textOf(payload, 'sub'),
    scopes: grantedScopes(scope === null ? null : scope.split(' '), agent),
    agent,
    user: optionalText(payload, 'user', MAX_TEXT),
    expiresAt: expiryOf(payload, now),
  };
}

function expiryOf(payload: Readonly<Record<string, unknown>>, now: Date): Date {
  const exp = claim(payload, 'exp');
  if (typeof exp !== 'number' || !Number.isFinite(exp)) throw refused('the claim "exp" must be a number of seconds');
  if (exp > now.getTime() / 1000 + MAX_TOKEN_LIFE_SECONDS) {
    throw refused('it expires more than 366 days from now; use an API key for longer access');
  }
  return new Date(exp * 1000);
}

function tenantOf(payload: Readonly<Record<string, unknown>>): TenantId {
  const value = claim(payload, 'tenant');
  const tenant = typeof value === 'string' ? parseTenantId(value) : null;
  if (tenant === null) throw refused('the claim "tenant" must be 1 to 128 letters, digits, ".", "_" or "-"');
  return tenant;
}

function agentOf(payload: Readonly<Record<string, unknown>>): AgentId | null {
  const value = optionalText(payload, 'agent', MAX_TEXT);
  if (value === null) return null;
  try {
    return parseAgentId(value);
  } catch {
    // invalid_request: from a token it is the credential that is bad, not the request
    throw refused('the claim "agent" must be 1 to 128 letters, digits, "_" or "-"');
  }
}

function textOf(payload: Readonly<Record<string, unknown>>, name: string): string {
  const text = optionalText(payload, name, MAX_TEXT);
  if (text === null) throw refused(`the claim "${name}" is missing`);
  return text;
}

function optionalText(payload: Readonly<Record<string, unknown>>, name: string, maxLength: number): string | null {
  const value = claim(payload, name);
  if (value === undefined) return null;
  if (typeof value !== 'string') throw refused(`the claim "${name}" must be text`);
  if (name !== 'scope' && value === '') throw refused(`the claim "${name}" is empty`);
  if (value.length > maxLength || CONTROL.test(value) || !value.isWellFormed()) {
    throw refused(`the claim "${name}" is too long or holds characters that names may not have`);
  }
  return value;
}

/** Own properties alone: a payload has no claims by inheritance. */
function claim(payload: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(why: string): FsError {
  return new FsError('unauthenticated', `the token is not valid: ${why}`);
}
