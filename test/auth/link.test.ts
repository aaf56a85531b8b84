import { createHmac } from 'node:crypto';
import { allows } from '../../src/auth/grant.ts';
import { grantOfLink, type LinkClaim, openLinks, type SigningKey } from '../../src/auth/link.ts';
import { parseObjectId, parseTenantId } from '../../src/ids.ts';
import { NOW } from './forge.ts';
import { refused } from './refused.ts';

const KEY: SigningKey = { id: 'k1', secret: 'first signing key 0123456789abcdef' };
const NEXT: SigningKey = { id: 'k2', secret: 'second signing key 0123456789abcdef' };
const PATH = '/signed/files/file_0190';
const EXPIRES = new Date(NOW.getTime() + 60_000);
const TEXT = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const tenant = parseTenantId('acme');
if (tenant === null) throw new Error('acme is a tenant id');
const longTenant = parseTenantId('t'.repeat(128)) ?? tenant;
const CLAIM: LinkClaim = { kind: 'download', tenant, object: parseObjectId('file_0190') };

const links = openLinks([KEY], () => NOW);
const TOKEN = links.sign(PATH, CLAIM, EXPIRES);

/** Every text that differs from this one in one place: a character changed, dropped or doubled. */
function* neighbours(text: string, characters: string): Iterable<string> {
  for (let i = 0; i < text.length; i += 1) {
    const [before, after] = [text.slice(0, i), text.slice(i + 1)];
    for (const other of characters) if (other !== text[i]) yield `${before}${other}${after}`;
    yield before + after;
    yield `${before}${text[i]}${text[i]}${after}`;
  }
}

describe('a signed link', () => {
  it('gives back what was signed', () => {
    expect(links.verify('GET', PATH, TOKEN)).toEqual({ ...CLAIM, expiresAt: EXPIRES });
    expect(TOKEN).toMatch(/^[A-Za-z0-9._-]+$/);
  });

  it('fails when any character of its token is another, missing or doubled', async () => {
    let tried = 0;
    for (const changed of neighbours(TOKEN, `${TEXT}.=+/ %é`)) {
      await refused('forbidden', () => links.verify('GET', PATH, changed));
      tried += 1;
    }
    expect(tried).toBeGreaterThan(TOKEN.length * TEXT.length);
  });

  it('fails in the spellings of its seal that decode to the same bytes', async () => {
    const seal = TOKEN.slice(TOKEN.lastIndexOf('.') + 1);
    const bytes = Buffer.from(seal, 'base64url');
    const spellings = [...TEXT].map((last) => `${seal.slice(0, -1)}${last}`).filter((other) => other !== seal);
    const same = spellings.filter((other) => Buffer.from(other, 'base64url').equals(bytes));
    // The attack is real: a compare of bytes would take these three
    expect(same).toHaveLength(3);
    const others = [...same, `${seal}=`, bytes.toString('base64')];
    for (const other of others) await refused('forbidden', () => links.verify('GET', PATH, TOKEN.replace(seal, other)));
  });

  it('fails when any character of its path is another, missing or doubled, or it is spelled otherwise', async () => {
    for (const changed of neighbours(PATH, `${TEXT}/%.?é`)) {
      await refused('forbidden', () => links.verify('GET', changed, TOKEN));
    }
    const spellings = [
      '/signed/files/file%5F0190',
      '/signed//files/file_0190',
      '/SIGNED/files/file_0190',
      `${PATH}/`,
      '',
    ];
    for (const path of spellings) await refused('forbidden', () => links.verify('GET', path, TOKEN));
  });

  it('ends at its time with its own code, and only a genuine one learns that', async () => {
    const after = openLinks([KEY], () => EXPIRES);
    await refused('expired', () => after.verify('GET', PATH, TOKEN));
    await refused('forbidden', () => after.verify('GET', `${PATH}x`, TOKEN));
    expect(openLinks([KEY], () => new Date(EXPIRES.getTime() - 1)).verify('GET', PATH, TOKEN).object).toBe(
      CLAIM.object,
    );
  });

  it('cannot have its time moved: the body is under the seal', async () => {
    const [id = '', body = '', seal = ''] = TOKEN.split('.');
    const fields = Buffer.from(body, 'base64url').toString();
    const later = Buffer.from(fields.replace(String(EXPIRES.getTime()), '9999999999999')).toString('base64url');
    expect(later).not.toBe(body);
    await refused('forbidden', () => links.verify('GET', PATH, `${id}.${later}.${seal}`));
  });

  it('of a rotated key verifies while the key is kept, and not after', async () => {
    const rotated = openLinks([NEXT, KEY], () => NOW);
    expect(rotated.verify('GET', PATH, TOKEN).object).toBe(CLAIM.object);
    const fresh = rotated.sign(PATH, CLAIM, EXPIRES);
    expect(fresh.startsWith('k2.')).toBe(true);
    await refused('forbidden', () => links.verify('GET', PATH, fresh));
    await refused('forbidden', () => openLinks([NEXT], () => NOW).verify('GET', PATH, TOKEN));
  });

  it('does not verify under another key id, also with the same secret', async () => {
    const twins = openLinks([KEY, { id: 'k9', secret: KEY.secret }], () => NOW);
    await refused('forbidden', () => twins.verify('GET', PATH, TOKEN.replace(/^k1/, 'k9')));
  });

  it('is no plain HMAC of its body: another use of the key makes no link', async () => {
    const [id = '', body = ''] = TOKEN.split('.');
    for (const text of [body, `${PATH}${body}`, `${PATH}\n${body}`]) {
      const seal = createHmac('sha256', KEY.secret).update(text).digest('base64url');
      await refused('forbidden', () => links.verify('GET', PATH, `${id}.${body}.${seal}`));
    }
  });

  it('to upload gives back its terms, and is good for PUT alone; one to download for GET and HEAD alone', async () => {
    const path = '/signed/slots/0d9f3c1e';
    const object = parseObjectId('0d9f3c1e');
    const longest = `a/b; c="${'\\"'.repeat(120)}"`;
    for (const contentType of ['text/csv', longest]) {
      const claim: LinkClaim = { kind: 'upload', tenant: longTenant, object, contentType, maxBytes: 2 ** 40 };
      const token = links.sign(path, claim, EXPIRES);
      const verified = links.verify('PUT', path, token);
      expect(verified).toEqual({ ...claim, expiresAt: EXPIRES });
      const grant = grantOfLink(verified);
      expect(grant.upload).toEqual({ object, contentType, maxBytes: 2 ** 40 });
      expect([...grant.scopes]).toEqual([]);
      for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'PATCH', 'put']) {
        await refused('forbidden', () => links.verify(method, path, token));
      }
    }
    expect(links.verify('HEAD', PATH, TOKEN).object).toBe(CLAIM.object);
    for (const method of ['PUT', 'POST', 'get', ''])
      await refused('forbidden', () => links.verify(method, PATH, TOKEN));
  });

  it('is a grant to read files of its tenant, and nothing else', () => {
    const grant = grantOfLink(links.verify('GET', PATH, TOKEN));
    expect(grant).toMatchObject({ tenant: 'acme', agent: null, user: null, expiresAt: EXPIRES });
    expect([...grant.scopes]).toEqual(['files:read']);
    expect(allows(grant, 'files:write')).toBe(false);
  });

  it('needs a key to be signed with', async () => {
    await refused('invalid_request', () => openLinks([], () => NOW));
  });
});
