import { grantOfClaims } from '../../src/auth/claims.ts';
import { allows, SCOPES } from '../../src/auth/grant.ts';
import { parseAgentId, parseTenantId } from '../../src/ids.ts';
import { claims, NOW } from './forge.ts';
import { refused } from './refused.ts';

const grantOf = (change: Readonly<Record<string, unknown>>) => grantOfClaims(claims(change), NOW);

describe('scopes of a token', () => {
  it('are all but admin where none are claimed', () => {
    expect([...grantOf({}).scopes]).toEqual(SCOPES.filter((scope) => scope !== 'admin'));
  });

  it('are those claimed and known, admin only by name, and none for an empty claim', () => {
    expect([...grantOf({ scope: 'admin  files:read everything' }).scopes].sort()).toEqual(['admin', 'files:read']);
    expect(grantOf({ scope: '' }).scopes.size).toBe(0);
  });

  it('of an agent are its workspace and files where none are claimed', () => {
    const expected = ['files:read', 'files:write', 'workspace:read', 'workspace:write'];
    expect([...grantOf({ agent: 'a1' }).scopes].sort()).toEqual(expected);
  });

  it('of an agent never hold store:write, runs:write, usage:read or admin, whatever is claimed', () => {
    const grant = grantOf({ agent: 'a1', scope: SCOPES.join(' ') });
    for (const never of ['store:write', 'runs:write', 'usage:read', 'admin'] as const) {
      expect(allows(grant, never)).toBe(false);
      expect(allows(grantOf({ scope: SCOPES.join(' ') }), never)).toBe(true);
    }
    expect(allows(grant, 'store:read')).toBe(true);
  });

  it('of an agent reach no other workspace', () => {
    const tenant = parseTenantId('acme');
    if (tenant === null) throw new Error('acme is a tenant id');
    const workspace = (id: string) => ({ kind: 'workspace', tenant, agent: parseAgentId(id) }) as const;
    const grant = grantOf({ agent: 'a1' });
    expect(allows(grant, 'workspace:read', workspace('a1'))).toBe(true);
    expect(allows(grant, 'workspace:read', workspace('a2'))).toBe(false);
    expect(allows(grantOf({}), 'workspace:read', workspace('a2'))).toBe(true);
  });
});

describe('a claim of the wrong form', () => {
  it('is refused and never read as absent, which would widen the token', async () => {
    const bad: Readonly<Record<string, readonly unknown[]>> = {
      scope: [['files:read'], { files: 'read' }, null, 7, true],
      agent: ['', null, 7, ['a1'], '../a1', '-a', 'a.b', 'a'.repeat(129)],
      user: ['', null, 7, ['u1'], 'a\0b', 'a\nb', '\ud800', 'u'.repeat(257)],
      sub: [undefined, '', null, 7, 'a\u0007', 's'.repeat(257)],
    };
    for (const [name, values] of Object.entries(bad)) {
      for (const value of values) {
        const error = await refused('unauthenticated', () => grantOf({ [name]: value }));
        expect(error.message).toContain(`"${name}"`);
      }
    }
  });

  it('tenant: no directory but its own', async () => {
    const bad = [
      undefined,
      null,
      '',
      '.',
      '..',
      '../acme',
      'a/b',
      'a\\b',
      '.hidden',
      '-x',
      'a b',
      'ä',
      'a\n',
      7,
      ['acme'],
    ];
    for (const tenant of [...bad, 'x'.repeat(129)]) await refused('unauthenticated', () => grantOf({ tenant }));
    expect(grantOf({ tenant: 'Acme.example-1_2' }).tenant).toBe('Acme.example-1_2');
  });

  it('payload: nothing is claimed by inheritance or by a list', async () => {
    for (const payload of [null, [], 'text', 7]) await refused('unauthenticated', () => grantOfClaims(payload, NOW));
    const inherited: unknown = JSON.parse(`{"__proto__":${JSON.stringify(claims())}}`);
    await refused('unauthenticated', () => grantOfClaims(inherited, NOW));
    await refused('unauthenticated', () => grantOfClaims(Object.create(claims()), NOW));
  });
});
