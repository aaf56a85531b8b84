import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { freeName, longName, safeName } from '../../src/core/input-names.ts';
import { type ObjectId, parseAgentId } from '../../src/ids.ts';
import { DATABASES } from '../support/databases.ts';
import { AGENT, fromObject, fromStore, House, Site } from './house.ts';

describe('the name of an input', () => {
  const named = (filename: string | null) => ({ id: 'file_0123456789abcdef' as ObjectId, filename });

  it('is safe on any disk', () => {
    expect(safeName(named('a/b\\../c.txt'))).toBe('c.txt');
    expect(safeName(named('..'))).toBe('file_0123456789abcdef');
    expect(safeName(named('x/'))).toBe('file_0123456789abcdef');
    expect(safeName(named(null))).toBe('file_0123456789abcdef');
    expect(safeName(named('a\n\u0000b'))).toBe('a__b');
    const long = safeName(named(`${'ä'.repeat(300)}.pdf`));
    expect([Buffer.byteLength(long) <= 255, long.endsWith('ä.pdf')]).toEqual([true, true]);
  });

  it('makes way before its extension', () => {
    expect(longName(named('report.final.pdf'))).toBe('report.final-89abcdef.pdf');
    expect(longName(named('.bashrc'))).toBe('.bashrc-89abcdef');
    expect(freeName(named('a'), (name) => name !== 'a-file_0123456789abcdef')).toBe('a-file_0123456789abcdef');
  });
});

describe.each(DATABASES)('automatic inputs on $name', (kind) => {
  let site: Site;
  let house: House;

  beforeAll(async () => {
    site = await Site.open(kind);
  });

  afterAll(() => site.close());

  beforeEach(async () => {
    house = await House.open(site);
  });

  const read = (path: string) => readFileSync(house.disk(path), 'utf8');

  it("runs.start copies the user's inputs, narrowed by agent and session where they carry them", async () => {
    await house.upload('1', { filename: 'any', userId: 'u1' });
    await house.upload('2', { filename: 'agent', userId: 'u1', agentId: AGENT });
    await house.upload('3', { filename: 'other-agent', userId: 'u1', agentId: parseAgentId('a2') });
    await house.upload('4', { filename: 'session', userId: 'u1', sessionId: 's1' });
    await house.upload('5', { filename: 'other-session', userId: 'u1', sessionId: 's2' });
    await house.upload('6', { filename: 'other-user', userId: 'u2' });
    await house.upload('7', { filename: 'knowledge', userId: 'u1', purpose: 'knowledge' });
    const run = await house.start({ userId: 'u1', sessionId: 's1' });
    expect(await house.seeded(run)).toEqual(['data/agent', 'data/any', 'data/session']);
    expect(await house.outputs(await house.finish(run))).toEqual([]);
  });

  it('runs.start takes none or those named, as inputs says', async () => {
    const one = await house.upload('1', { filename: 'one', userId: 'u1' });
    await house.upload('2', { filename: 'two', userId: 'u1' });
    const none = await house.start({ userId: 'u1', inputs: 'none' });
    expect(await house.seeded(none)).toEqual([]);
    await house.finish(none);
    expect(await house.seeded(await house.start({ userId: 'u1', inputs: [one.id] }))).toEqual(['data/one']);
  });

  it('runs.start gives the newest of one name the name', async () => {
    const older = await house.upload('older', { filename: 'r.pdf', userId: 'u1' });
    house.pass(1);
    await house.upload('newer', { filename: 'r.pdf', userId: 'u1' });
    await house.start({ userId: 'u1' });
    expect([read('data/r.pdf'), read(`data/r-${older.id.slice(-8)}.pdf`)]).toEqual(['newer', 'older']);
  });

  it('runs.start puts in once what was also asked for, and leaves asked-for names and directories alone', async () => {
    await house.store({ 'data/a.txt': 'store' });
    const asked = await house.upload('asked', { filename: 'asked.txt', userId: 'u1' });
    const a = await house.upload('input', { filename: 'a.txt', userId: 'u1' });
    const b = await house.upload('blocked', { filename: 'b', userId: 'u1' });
    await house.parts.agents.create(house.tenant, { agentId: AGENT });
    mkdirSync(house.made('data/b/c'), { recursive: true });
    const run = await house.start({ userId: 'u1', seeds: [fromStore('data/a.txt'), fromObject(asked.id, 'in/')] });
    const long = (id: string, stem: string, extension: string) => `data/${stem}-${id.slice(-8)}${extension}`;
    expect(await house.seeded(run)).toEqual(
      ['data/a.txt', 'in/asked.txt', long(a.id, 'a', '.txt'), long(b.id, 'b', '')].sort(),
    );
  });

  describe('delivery', () => {
    it('objects.keep puts an input into the live run of its user, and it is no output', async () => {
      const run = await house.start({ userId: 'u1' });
      const input = await house.upload('later', { filename: 'late.txt', userId: 'u1' });
      expect(read('data/late.txt')).toBe('later');
      const { items } = await house.runs.seeded(run.id, { limit: 9, cursor: null });
      expect(items).toMatchObject([{ path: 'data/late.txt', size: 5, source: { fileId: input.id } }]);
      const ended = await house.finish(run);
      expect(ended).toMatchObject({ seededFiles: 1, seededBytes: 5 });
      expect(await house.outputs(run)).toEqual([]);
    });

    it('objects.keep delivers nothing to other users, agents and sessions, nor where inputs says none', async () => {
      await house.start({ userId: 'u1', inputs: 'none' });
      await house.start({ userId: 'u2' }, parseAgentId('a2'));
      await house.upload('x', { filename: 'x', userId: 'u1' });
      await house.upload('x', { filename: 'x', userId: 'u2', agentId: AGENT });
      await house.upload('x', { filename: 'x', userId: 'u2', sessionId: 's' });
      expect([house.listing(), house.listing(parseAgentId('a2'))]).toEqual([[], []]);
    });

    it('objects.keep gives the newest the name, and what the agent edited stays an output', async () => {
      const older = await house.upload('older', { filename: 'r.pdf', userId: 'u1' });
      const run = await house.start({ userId: 'u1' });
      await house.upload('newer', { filename: 'r.pdf', userId: 'u1' });
      const long = `data/r-${older.id.slice(-8)}.pdf`;
      expect([read('data/r.pdf'), read(long)]).toEqual(['newer', 'older']);
      expect(await house.seeded(run)).toEqual(['data/r.pdf', long].sort());
      writeFileSync(house.disk(long), 'edited');
      await house.finish(run);
      expect(await house.outputs(run)).toEqual([`${long}: edited`]);
    });

    it("objects.keep never replaces the agent's own file", async () => {
      const run = await house.start({ userId: 'u1' });
      writeFileSync(house.made('data/r.pdf'), 'mine');
      const input = await house.upload('input', { filename: 'r.pdf', userId: 'u1' });
      expect([read('data/r.pdf'), read(`data/r-${input.id.slice(-8)}.pdf`)]).toEqual(['mine', 'input']);
      await house.finish(run);
      expect(await house.outputs(run)).toEqual(['data/r.pdf: mine']);
    });

    it('objects.keep succeeds where the workspace has no room for the delivery', async () => {
      await house.parts.agents.create(house.tenant, { agentId: AGENT, quotaBytes: 3 });
      const run = await house.start({ userId: 'u1' });
      const input = await house.upload('too large', { filename: 'big', userId: 'u1' });
      expect(input.size).toBe(9);
      expect([house.listing(), await house.seeded(run)]).toEqual([[], []]);
      expect(await house.outputs(await house.finish(run))).toEqual([]);
    });

    it('a process that takes a run over delivers what was missed', async () => {
      const run = await house.start({ userId: 'u1' });
      await house.db.updateTable('runs').set({ status: 'preparing' }).where('id', '=', run.id).execute();
      await house.upload('x', { filename: 'missed', userId: 'u1' });
      await house.db
        .updateTable('runs')
        .set({ status: 'running', instance: 'gone' })
        .where('id', '=', run.id)
        .execute();
      rmSync(house.disk('data'), { recursive: true, force: true });
      await house.runs.recover(['gone']);
      expect(read('data/missed')).toBe('x');
    });
  });
});
