import { acceptsLocalTokens } from '../../auth/bearer.ts';
import { MAX_TOKEN_LIFE_SECONDS } from '../../auth/claims.ts';
import { parseScopes } from '../../auth/scope-text.ts';
import { makeToken, type TokenClaims } from '../../auth/token.ts';
import { type Config, readConfig } from '../../config.ts';
import { parseDuration } from '../../durations.ts';
import { FsError } from '../../errors.ts';
import { type AgentId, parseAgentId, parseTenantId, type TenantId } from '../../ids.ts';
import { type Log, openLog } from '../../log.ts';
import { openSecrets } from '../../secrets.ts';
import { type Output, printJson } from '../output.ts';

export interface TokenOptions {
  readonly tenant: string;
  readonly agent?: string;
  readonly user?: string;
  readonly scope?: string;
  readonly ttl: string;
  readonly json?: boolean;
}

/** `workspaced token`. @throws invalid_request for an option or setting that is wrong */
export async function printToken(
  env: Readonly<Record<string, string | undefined>>,
  options: TokenOptions,
  output: Output,
): Promise<void> {
  const config = readConfig(env);
  const agent = optionalAgent(options.agent);
  const scope = parseScopes(options.scope ?? null, agent);
  const ttlSeconds = parseTtl(options.ttl);
  const claims = {
    tenant: demandTenant(options.tenant),
    ...(agent === null ? {} : { agent }),
    ...(options.user === undefined ? {} : { user: demandUser(options.user) }),
    ...(scope === null ? {} : { scope }),
  };
  const expiresAt = new Date(Date.now() + ttlSeconds * 1000);
  const token = await localToken(config, claims, ttlSeconds, openLog(config));
  if (options.json === true) printJson(output, { token, ...claims, expires_at: expiresAt.toISOString() });
  else output.print(`${token}\n`);
}

/** A token that the daemon of this configuration takes. @throws invalid_request where it takes none of its own */
export async function localToken(config: Config, claims: TokenClaims, ttlSeconds: number, log: Log): Promise<string> {
  if (!acceptsLocalTokens({ publicKey: config.jwtPublicKey, jwksUrl: config.jwtJwksUrl })) {
    throw new FsError(
      'invalid_request',
      'JWT_PUBLIC_KEY or JWT_JWKS_URL is set, so tokens come from their issuer alone; make an API key instead: ' +
        'workspaced key create',
    );
  }
  const { jwtSecret } = await openSecrets(config.dataDir, config, log);
  const demanded = {
    ...(config.jwtIssuer === null ? {} : { issuer: config.jwtIssuer }),
    ...(config.jwtAudience === null ? {} : { audience: config.jwtAudience }),
  };
  return makeToken(jwtSecret, { ...claims, ...demanded }, ttlSeconds);
}

/** @throws invalid_request */
export function demandTenant(text: string): TenantId {
  const tenant = parseTenantId(text);
  if (tenant !== null) return tenant;
  throw new FsError(
    'invalid_request',
    'a tenant is 1 to 128 letters, digits, ".", "_" or "-", and begins with a letter or digit',
  );
}

/** The agent of an option that may be absent. @throws invalid_request */
export function optionalAgent(text: string | undefined): AgentId | null {
  return text === undefined ? null : parseAgentId(text);
}

function demandUser(text: string): string {
  if (text !== '' && text.length <= 256) return text;
  throw new FsError('invalid_request', 'a user is 1 to 256 characters');
}

function parseTtl(text: string): number {
  const seconds = parseDuration(text) ?? 0;
  if (seconds >= 1 && seconds <= MAX_TOKEN_LIFE_SECONDS) return seconds;
  throw new FsError('invalid_request', `--ttl is "${text}"; it must be 30s, 15m, 24h, 7d or seconds, and at most 366d`);
}
