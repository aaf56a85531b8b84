import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pino from 'pino';
import { openBearer } from '../../src/auth/bearer.ts';
import { systemClock } from '../../src/clock.ts';
import { pemOf, rsaPair } from '../auth/forge.ts';
import { withDataDir, workspaced } from './run.ts';

/** The grant a daemon with this secret gives for a token. */
function grantOf(token: string, secret: string, demanded: { issuer?: string; audience?: string } = {}) {
  const jwt = { secret, publicKey: null, jwksUrl: null, issuer: null, audience: null, ...demanded };
  const log = pino({ level: 'silent' });
  return openBearer({ jwt, keys: async () => null, clock: systemClock, log }).authenticate(token);
}

describe('workspaced token', () => {
  it('prints a token that the daemon of this data root takes, and nothing else', () =>
    withDataDir(async (dataDir) => {
      const { code, stdout, stderr } = await workspaced(['token', '--tenant', 'acme'], { DATA_DIR: dataDir });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const secret = (await readFile(join(dataDir, 'secrets/jwt-secret'), 'utf8')).trim();
      const grant = await grantOf(stdout.trim(), secret);
      expect(grant).toMatchObject({ tenant: 'acme', subject: 'cli', agent: null, user: null });
      expect(grant.scopes.has('admin')).toBe(false);
      const life = (grant.expiresAt?.getTime() ?? 0) - Date.now();
      expect(life).toBeGreaterThan(3500_000);
      expect(life).toBeLessThanOrEqual(3600_000);
    }));

  it('binds it to an agent, a user, scopes, a time, and what the settings demand', () =>
    withDataDir(async (dataDir) => {
      const secret = 'a secret for tests only: 0123456789abcdef';
      const env = { DATA_DIR: dataDir, JWT_SECRET: secret, JWT_ISSUER: 'us', JWT_AUDIENCE: 'them' };
      const bound = ['--agent', 'a1', '--user', 'u1', '--scope', 'files:read  workspace:read', '--ttl', '7d', '--json'];
      const { code, stdout } = await workspaced(['token', '--tenant', 'acme', ...bound], env);
      expect(code).toBe(0);
      const printed = JSON.parse(stdout);
      expect(printed).toMatchObject({ tenant: 'acme', agent: 'a1', user: 'u1', scope: 'files:read workspace:read' });
      const grant = await grantOf(printed.token, secret, { issuer: 'us', audience: 'them' });
      expect(grant).toMatchObject({ tenant: 'acme', agent: 'a1', user: 'u1' });
      expect([...grant.scopes].sort()).toEqual(['files:read', 'workspace:read']);
      expect(Math.abs(Date.parse(printed.expires_at) - (grant.expiresAt?.getTime() ?? 0))).toBeLessThan(2000);
    }));

  it.each<[string, readonly string[]]>([
    ['is no tenant', ['--tenant', '../acme']],
    ['is no agent', ['--tenant', 'acme', '--agent', 'a.b']],
    ['is no user', ['--tenant', 'acme', '--user', '']],
    ['is no scope', ['--tenant', 'acme', '--scope', 'store:read everything']],
    ['is an empty scope', ['--tenant', 'acme', '--scope', ' ']],
    ['is never given to an agent', ['--tenant', 'acme', '--agent', 'a1', '--scope', 'admin']],
    ['is no duration', ['--tenant', 'acme', '--ttl', 'soon']],
    ['is too long', ['--tenant', 'acme', '--ttl', '367d']],
  ])('ends with 2 and a sentence for what %s', async (_, args) => {
    const { code, stdout, stderr } = await workspaced(['token', ...args], { DATA_DIR: '/nowhere/at/all' });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^workspaced: .+\n$/);
  });

  it('makes none where only an issuer may: it says to make an API key', () =>
    withDataDir(async (dataDir) => {
      const env = { DATA_DIR: dataDir, JWT_PUBLIC_KEY: pemOf(rsaPair().publicKey) };
      const { code, stderr } = await workspaced(['token', '--tenant', 'acme'], env);
      expect(code).toBe(2);
      expect(stderr).toContain('workspaced key create');
    }));

  it('ends with 2 where the kept secret cannot be used, without repeating it', () =>
    withDataDir(async (dataDir) => {
      await mkdir(join(dataDir, 'secrets'), { recursive: true, mode: 0o700 });
      await writeFile(join(dataDir, 'secrets/jwt-secret'), 'a-weak-secret', { mode: 0o600 });
      const { code, stderr } = await workspaced(['token', '--tenant', 'acme'], { DATA_DIR: dataDir });
      expect(code).toBe(2);
      expect(stderr).not.toContain('a-weak-secret');
    }));
});
