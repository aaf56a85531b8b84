import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LinkClaim, openLinks } from '../../src/auth/link.ts';
import { parseObjectId, parseTenantId } from '../../src/ids.ts';
import { bytesOf, put, type Reserved, reserve, rowOf, targetOf } from '../dialects/slots/reserved.ts';
import { type Answer, send } from '../support/client.ts';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { makeWorld, type World } from '../support/scenario.ts';

const KEY = { id: 'k1', secret: 'a signing key that this test knows: 0123456789' };
const NEXT = { id: 'k2', secret: 'the signing key that comes after it: 9876543210' };
const settingOf = (...keys: readonly (typeof KEY)[]) => keys.map(({ id, secret }) => `${id}:${secret}`).join(',');
const SECRET = 'nobody may have this';
const HOUR_MS = 3_600_000;
const connections = new Agent({ keepAlive: true, maxSockets: 8 });

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Others for one character: near it, far from it, in the other case, and such as mean something in a URL. */
function othersFor(character: string): readonly string[] {
  const next = ALPHABET[(ALPHABET.indexOf(character) + 1) % ALPHABET.length] ?? 'A';
  const swapped = character === character.toLowerCase() ? character.toUpperCase() : character.toLowerCase();
  return [...new Set([next, swapped, '0', '.', '/', '%'])].filter((other) => other !== character);
}

/** Every target that differs from this one in one place: a character changed, put in or left out, at every position. */
function* changesOf(target: string): Iterable<string> {
  for (let at = 0; at < target.length; at += 1) {
    const [before, character, after] = [target.slice(0, at), target[at] ?? '', target.slice(at + 1)];
    for (const other of othersFor(character)) yield `${before}${other}${after}`;
    for (const more of [character, 'A']) yield `${before}${more}${character}${after}`;
    yield `${before}${after}`;
  }
  for (const more of ['A', '=', '.', '&', '%20', '#', '/']) yield `${target}${more}`;
}

/** Asks for each target, a few at a time; those that were not refused. */
async function notRefused(targets: Iterable<string>, ask: (target: string) => Promise<Answer>): Promise<string[]> {
  const served: string[] = [];
  const rest = targets[Symbol.iterator]();
  const one = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) {
      const answer = await ask(next.value);
      const isRefused = answer.status >= 400 && answer.status < 500 && !answer.text.includes(SECRET);
      if (!isRefused) served.push(`${answer.status} ${next.value}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return served;
}

/** A link as one who has the key can make it. */
function forged(path: string, claim: LinkClaim): string {
  const token = openLinks([KEY], () => new Date()).sign(path, claim, new Date(Date.now() + 24 * HOUR_MS));
  return `${path}?token=${token}`;
}

function claimOf(
  world: World,
  id: string,
): {
  readonly tenant: NonNullable<ReturnType<typeof parseTenantId>>;
  readonly object: ReturnType<typeof parseObjectId>;
} {
  const tenant = parseTenantId(world.tenant);
  if (tenant === null) throw new Error('a world has a tenant');
  return { tenant, object: parseObjectId(id) };
}

describe('a signed link', () => {
  let daemon: TestDaemon;
  let world: World;
  let late = 0;

  beforeAll(async () => {
    const clock = () => new Date(Date.now() + late);
    daemon = await startTestDaemon({ env: { SIGNING_KEYS: settingOf(KEY) }, clock });
  });
  afterAll(async () => {
    connections.destroy();
    await daemon.close();
  });
  beforeEach(() => {
    late = 0;
    world = makeWorld(daemon);
  });

  const ask = (method: string, target: string, slot?: Reserved) => {
    const sent = slot === undefined ? {} : { headers: { ...slot.required_headers, 'content-length': '1' }, body: 'x' };
    return send(daemon.url, { method, target, ...sent }, connections);
  };
  const downloadOf = async (id: string, by: World = world) => {
    const { body } = await by.owner.does(`GET /storage/download/${id}`);
    return targetOf((body as { download_url: string }).download_url);
  };
  const filled = async (by: World = world) => {
    const slot = await reserve(by);
    await put(by, slot, SECRET);
    return slot;
  };

  it('for reading gives no byte when any one character of it is changed, put in or left out', async () => {
    const { file_id: id } = await filled();
    const target = await downloadOf(id);
    const targets = [...new Set(changesOf(target))];
    expect(targets.length).toBeGreaterThan(target.length * 6);
    expect(await notRefused(targets, (one) => ask('GET', one))).toEqual([]);
    expect((await ask('GET', target)).text).toBe(SECRET);
  });

  it('for uploading takes no byte when any one character of it is changed, put in or left out', async () => {
    const slot = await reserve(world);
    const target = targetOf(slot.upload_url);
    const targets = [...new Set(changesOf(target))];
    expect(targets.length).toBeGreaterThan(target.length * 6);
    expect(await notRefused(targets, (one) => ask('PUT', one, slot))).toEqual([]);
    expect((await put(world, slot, '', { 'content-range': 'bytes */*' })).headers.range).toBeUndefined();
    expect(await rowOf(world, slot)).toMatchObject({ status: 'pending_upload' });
    expect((await put(world, slot, SECRET)).status).toBe(200);
  });

  it('is held by its seal alone: who has the key reads and fills what the same changes ask for', async () => {
    const stranger = makeWorld(daemon);
    const { file_id: id } = await filled(stranger);
    const own = await downloadOf((await filled()).file_id);
    const swapped = own.replace(/^[^?]*/, `/signed/files/${id}`);
    expect((await ask('GET', swapped)).status).toBe(403);
    const claim = claimOf(stranger, id);
    expect((await ask('GET', forged(`/signed/files/${id}`, { kind: 'download', ...claim }))).text).toBe(SECRET);

    const slot = await reserve(stranger);
    const terms = { contentType: 'text/html', maxBytes: 2 ** 40 };
    const path = `/signed/slots/${slot.file_id}`;
    const link = forged(path, { kind: 'upload', ...claimOf(stranger, slot.file_id), ...terms });
    const headers = { 'content-type': 'text/html', 'x-goog-content-length-range': `0,${2 ** 40}` };
    expect((await put(stranger, slot, 'x', headers)).status).toBe(403);
    expect((await put(stranger, { ...slot, upload_url: `${daemon.url}${link}` }, 'x', headers)).status).toBe(200);
  });

  it('is 403 expired after its fifteen minutes, for reading and for uploading', async () => {
    const target = await downloadOf((await filled()).file_id);
    const slot = await reserve(world);
    late = 15 * 60_000 - 5_000;
    expect((await ask('GET', target)).status).toBe(200);
    late = 15 * 60_000 + 1;
    for (const answer of [await ask('GET', target), await put(world, slot, 'x')]) {
      expect([answer.status, answer.body]).toEqual([403, expect.objectContaining({ code: 'expired' })]);
    }
  });

  it('ends with its file: 404 for reading and for uploading; and is used up by an upload: 403', async () => {
    const slot = await filled();
    const target = await downloadOf(slot.file_id);
    expect((await put(world, slot, 'x')).status).toBe(403);
    const pending = await reserve(world);
    for (const { file_id: id } of [slot, pending]) await world.owner.does(`DELETE /storage/${id}`);
    expect((await ask('GET', target)).status).toBe(404);
    expect((await put(world, pending, 'x')).status).toBe(404);
  });

  it('of one file, tenant or kind is good for no other', async () => {
    const stranger = makeWorld(daemon);
    const [own, foreign] = [await reserve(world), await reserve(stranger)];
    const tokenOf = (url: string) => new URL(url).search;
    const crossed = {
      ...foreign,
      upload_url: `${daemon.url}/signed/slots/${foreign.file_id}${tokenOf(own.upload_url)}`,
    };
    expect((await put(world, crossed, 'x')).status).toBe(403);
    const { file_id: id } = await filled();
    const read = await downloadOf(id);
    const turned = { ...own, upload_url: `${daemon.url}${read.replace('/files/', '/slots/')}` };
    expect((await put(world, turned, 'x')).status).toBe(403);
    expect((await put(world, { ...own, upload_url: `${daemon.url}${read}` }, 'x')).status).toBe(405);
    expect((await ask('GET', `/signed/files/${own.file_id}${tokenOf(own.upload_url)}`)).status).toBe(403);
    expect(await bytesOf(world, id)).toBe(SECRET);
  });
});

describe('the rotation of signing keys', () => {
  it('keeps links of the old key good while the key is kept, and ends them with it', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-keys-'));
    const opened: TestDaemon[] = [];
    const startWith = async (...keys: readonly (typeof KEY)[]) => {
      const daemon = await startTestDaemon({ env: { DATA_DIR: dataDir, SIGNING_KEYS: settingOf(...keys) } });
      opened.push(daemon);
      return daemon;
    };
    try {
      const before = await startWith(KEY);
      const old = makeWorld(before);
      const slots = [await reserve(old), await reserve(old), await reserve(old)] as const;
      await put(old, slots[0], SECRET);
      const { body } = await old.owner.does(`GET /storage/download/${slots[0].file_id}`);
      const read = targetOf((body as { download_url: string }).download_url);
      await before.close();

      const rotated = await startWith(NEXT, KEY);
      const both = makeWorld(rotated);
      expect((await both.as('nobody').does(`GET ${read}`)).text).toBe(SECRET);
      expect((await put(both, slots[1], 'x')).status).toBe(200);
      const fresh = await reserve(both);
      expect(new URL(fresh.upload_url).search).toMatch(/^\?token=k2\./);
      await rotated.close();

      const after = await startWith(NEXT);
      const one = makeWorld(after);
      expect((await one.as('nobody').does(`GET ${read}`)).status).toBe(403);
      expect((await put(one, slots[2], 'x')).status).toBe(403);
      expect((await put(one, fresh, 'x')).status).toBe(200);
    } finally {
      for (const daemon of opened) await daemon.close();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
