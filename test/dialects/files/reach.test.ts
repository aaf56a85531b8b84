import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openDatabase } from '../../../src/db/drivers.ts';
import { insertObject } from '../../../src/db/objects.ts';
import type { Database, ObjectRow } from '../../../src/db/schema.ts';
import { object } from '../../contract/database/rows.ts';
import { expectProblem, playScenarios, type Scenario, type World } from '../../support/scenario.ts';

/** Asks the daemon's own database, for what other dialects would make. */
async function inDatabase({ daemon }: World, use: (db: Database) => Promise<unknown>): Promise<void> {
  const opened = await openDatabase(`sqlite:${join(daemon.dataDir, 'workspaced.db')}`);
  await use(opened.db).finally(() => opened.close());
}

/** An object that has no content yet, or never got one, as `{id}`. */
const unfilled =
  (status: ObjectRow['status']) =>
  async (world: World): Promise<{ id: string }> => {
    const id = randomUUID();
    const row = object(world.tenant, id, { status, size: null, sha256: null, user_id: 'u1' });
    await inDatabase(world, (db) => insertObject(db, row));
    return { id };
  };

/** A file as media and slots make it, as `{id}`: a UUID, and neither purpose nor user nor name. */
const ofAnotherDialect = async (world: World): Promise<{ id: string }> => {
  const { id } = await world.owner.uploads('x.txt', 'other');
  const other = { id: randomUUID(), purpose: null, user_id: null, filename: null };
  await inDatabase(world, (db) => db.updateTable('objects').set(other).where('id', '=', id).execute());
  return { id: other.id };
};

const CALLS = ['GET /v1/files/{id}', 'GET /v1/files/{id}/content', 'GET /v1/files/{id}/url', 'DELETE /v1/files/{id}'];
const filesOf = (body: unknown) => (body as { data: readonly { id: string; filename: string | null }[] }).data;

const BOUND: readonly Scenario[] = [
  {
    name: 'files.get, files.content, files.url, files.delete and files.list give a credential of one user that user’s files, and none of others',
    before: async ({ owner }) => ({ id: (await owner.uploads('mine.txt', 'mine', { userId: 'u1' })).id }),
    as: { user: 'u1' },
    call: 'GET /v1/files/{id}/content',
    status: 200,
    text: 'mine',
    after: async ({ owner, as }) => {
      const user = as({ user: 'u1' });
      const theirs = await owner.uploads('theirs.txt', 'theirs', { userId: 'u2' });
      const nobodys = await as({ agent: 'a1' }).does('POST /v1/files', {
        form: [{ name: 'file', value: 'x', filename: 'agents.txt' }],
      });
      for (const id of [theirs.id, (nobodys.body as { id: string }).id]) {
        for (const call of CALLS) {
          const answer = await user.does(call.replace('{id}', id));
          expect([call, answer.status]).toEqual([call, 404]);
          expectProblem(answer, 'not_found');
        }
      }
      expect(filesOf((await user.does('GET /v1/files')).body).map(({ filename }) => filename)).toEqual(['mine.txt']);
      expect((await owner.does(`GET /v1/files/${theirs.id}`)).status).toBe(200);
      const own = await user.does('POST /v1/files', { form: [{ name: 'file', value: 'x', filename: 'own.txt' }] });
      const { id } = own.body as { id: string };
      for (let time = 0; time < 2; time += 1) expect((await user.does(`DELETE /v1/files/${id}`)).status).toBe(204);
      expect((await as({ user: 'u2' }).does(`DELETE /v1/files/${id}`)).status).toBe(404);
    },
  },
  {
    name: 'files.list and files.delete keep a credential of one agent to that agent’s files',
    before: async ({ owner }) => ({ id: (await owner.uploads('a1.txt', 'x', { agentId: 'a1', userId: 'u1' })).id }),
    as: { agent: 'a1' },
    call: 'DELETE /v1/files/{id}',
    status: 204,
    after: async ({ owner, as }) => {
      const agent = as({ agent: 'a1' });
      const other = await owner.uploads('a2.txt', 'x', { agentId: 'a2' });
      for (const call of CALLS) expect((await agent.does(call.replace('{id}', other.id))).status).toBe(404);
      expect((await agent.does('GET /v1/files')).body).toEqual({ data: [], has_more: false });
      expect((await agent.does('GET /v1/files?agentId=a2')).body).toEqual({ data: [], has_more: false });
      const both = as({ agent: 'a2', user: 'u9' });
      expect((await both.does('GET /v1/files')).body).toEqual({ data: [], has_more: false });
      expect((await both.does(`GET /v1/files/${other.id}`)).status).toBe(404);
    },
  },
  {
    name: 'files.create, files.list and all calls of one file ask for a credential and its scope',
    as: 'nobody',
    call: 'GET /v1/files',
    status: 401,
    code: 'unauthenticated',
    answers: { 'www-authenticate': expect.stringMatching(/^Bearer/) },
    after: async ({ owner, as }) => {
      const { id } = await owner.uploads('a.txt', 'x');
      const form = [
        { name: 'userId', value: 'u1' },
        { name: 'file', value: 'x', filename: 'b.txt' },
      ];
      const reading = as({ scope: 'files:read' });
      const writing = as({ scope: 'files:write' });
      for (const call of CALLS) expect((await as('nobody').does(call.replace('{id}', id))).status).toBe(401);
      expect((await as('nobody').does('POST /v1/files', { form })).status).toBe(401);
      expect((await reading.does('POST /v1/files', { form })).status).toBe(403);
      expect((await reading.does(`DELETE /v1/files/${id}`)).status).toBe(403);
      for (const call of CALLS.slice(0, 3)) expect((await writing.does(call.replace('{id}', id))).status).toBe(403);
      expect((await writing.does('GET /v1/files')).status).toBe(403);
      expect((await writing.does('POST /v1/files', { form })).status).toBe(201);
    },
  },
];

const SHARED: readonly Scenario[] = [
  {
    name: 'files.get shows a file of another dialect, with its UUID, and null for what its maker did not say',
    before: ofAnotherDialect,
    call: 'GET /v1/files/{id}',
    status: 200,
    golden: 'of-another-dialect',
    after: async (world) => {
      const { owner } = world;
      const [file] = filesOf((await owner.does('GET /v1/files')).body);
      expect((await owner.does(`GET /v1/files/${file?.id}/content`)).text).toBe('other');
      const { url } = (await owner.does(`GET /v1/files/${file?.id}/url`)).body as { url: string };
      expect((await world.as('nobody').does(`GET ${url.slice(world.daemon.url.length)}`)).text).toBe('other');
      expect((await owner.does(`DELETE /v1/files/${file?.id}`)).status).toBe(204);
    },
  },
  {
    name: 'files.get, files.content, files.url and files.delete of a slot that waits for its bytes are 409 pending_upload',
    before: unfilled('pending_upload'),
    call: 'GET /v1/files/{id}',
    status: 409,
    code: 'pending_upload',
    after: async (world) => {
      const { id } = await unfilled('pending_upload')(world);
      for (const call of CALLS) expectProblem(await world.owner.does(call.replace('{id}', id)), 'pending_upload');
      expect((await world.owner.does('GET /v1/files')).body).toEqual({ data: [], has_more: false });
      expect((await world.as({ user: 'u2' }).does(`GET /v1/files/${id}`)).status).toBe(404);
    },
  },
  {
    name: 'files.get and files.content of a slot that was never filled are 404',
    before: unfilled('error_state'),
    call: 'GET /v1/files/{id}',
    status: 404,
    code: 'not_found',
    after: async (world) => {
      const { id } = await unfilled('error_state')(world);
      expect((await world.owner.does(`GET /v1/files/${id}/content`)).status).toBe(404);
      expect((await world.owner.does('GET /v1/files')).body).toEqual({ data: [], has_more: false });
    },
  },
];

playScenarios('who reaches which files', import.meta.url, [...BOUND, ...SHARED]);
