import { connect } from 'node:net';
import type { Answer } from '../../support/client.ts';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { expectProblem, makeWorld, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';
import { bytesOf, put, type Reserved, reserve, rowOf, stagedOf, targetOf, usageOf } from './reserved.ts';

const CONTENT = 'abcdefghijklmnopqrstuvwxyz'.repeat(4000);
const SIZE = CONTENT.length;

const ask = (world: World, slot: Reserved, total: number | '*' = SIZE) =>
  put(world, slot, '', { 'content-range': `bytes */${total}` });

const send = (world: World, slot: Reserved, first: number, end = SIZE, total: number | '*' = SIZE) =>
  put(world, slot, CONTENT.slice(first, end), { 'content-range': `bytes ${first}-${end - 1}/${total}` });

/** Begins a PUT of all, sends only so much of it, and holds the connection open until it is told to cut it. */
async function begin(world: World, slot: Reserved, bytes: number): Promise<{ cut(): void }> {
  const { hostname, port } = new URL(world.daemon.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  const lines = [
    `PUT ${targetOf(slot.upload_url)} HTTP/1.1`,
    'Host: localhost',
    `Content-Length: ${SIZE}`,
    ...Object.entries(slot.required_headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${CONTENT.slice(0, bytes)}`);
  await until(async () => (await stagedOf(world)).length > 0, 'the upload begins');
  return { cut: () => socket.destroy() };
}

/** Cuts a PUT off after so many bytes, and waits until all that came is kept. */
async function cutOff(world: World, slot: Reserved, bytes: number): Promise<void> {
  const upload = await begin(world, slot, bytes);
  upload.cut();
  await until(async () => (await ask(world, slot)).headers.range === `bytes=0-${bytes - 1}`, 'what came is kept');
}

async function expectWhole(world: World, slot: Reserved, answer: Answer): Promise<void> {
  expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '' });
  expect(await bytesOf(world, slot.file_id)).toBe(CONTENT);
  expect(await usageOf(world)).toMatchObject({ bytes: SIZE, files: 1, reserved_bytes: 0 });
  expect(await stagedOf(world)).toEqual([]);
}

describe('a broken upload', () => {
  let daemon: TestDaemon;
  let world: World;
  beforeAll(async () => {
    daemon = await startTestDaemon();
  });
  afterAll(() => daemon.close());
  beforeEach(() => {
    world = makeWorld(daemon);
  });

  it('slots.put that only asks how far it is answers 308, without Range where nothing came', async () => {
    const slot = await reserve(world, { expected_file_size: '5' });
    const answer = await ask(world, slot, 5);
    expect(answer).toMatchObject({ status: 308, text: '' });
    expect([answer.headers.range, answer.headers.location]).toEqual([undefined, undefined]);
    expect((await ask(world, slot, '*')).status).toBe(308);
    expectProblem(await ask(world, slot, 6), 'invalid_request');
  });

  it.each([
    ['with', { expected_file_size: String(SIZE) }],
    ['without', {}],
  ])('slots.put cut off in the middle keeps what came, %s an announced size, and goes on there', async (_, wanted) => {
    const slot = await reserve(world, wanted);
    await cutOff(world, slot, 40_000);
    expect(await rowOf(world, slot)).toMatchObject({ status: 'pending_upload', actual_file_size: null });
    expect(await usageOf(world)).toMatchObject({ bytes: 0, reserved_bytes: SIZE });
    expectProblem(await send(world, slot, 39_999), 'conflict');
    expectProblem(await send(world, slot, 40_001), 'conflict');
    await expectWhole(world, slot, await send(world, slot, 40_000));
    expectProblem(await ask(world, slot), 'forbidden');
  });

  it('slots.put takes a file in pieces: 308 after each but the last, which says how many there are', async () => {
    const slot = await reserve(world);
    expect((await send(world, slot, 0, 30_000, '*')).headers.range).toBe('bytes=0-29999');
    expect((await send(world, slot, 30_000, 60_000)).status).toBe(308);
    await expectWhole(world, slot, await send(world, slot, 60_000));
  });

  it('slots.put whose last piece did not say so is finished by asking with the total', async () => {
    const slot = await reserve(world);
    expect((await send(world, slot, 0, SIZE, '*')).status).toBe(308);
    await expectWhole(world, slot, await ask(world, slot));
  });

  it('slots.put without Content-Range begins anew, whatever came before', async () => {
    const slot = await reserve(world);
    await put(world, slot, 'something else', { 'content-range': 'bytes 0-13/*' });
    await expectWhole(world, slot, await put(world, slot, CONTENT));
  });

  it('slots.put refuses a Content-Range that is none, or says other than the rest, with 400', async () => {
    const slot = await reserve(world, { expected_file_size: '10' });
    const ranges = ['0-2/10', 'bytes', 'bytes 2-1/10', 'bytes 0-2/2', 'bytes 0-2/11', 'bytes -2/10', 'bytes 0-/10'];
    const others = ['bytes */x', `bytes 0-2/${'9'.repeat(16)}`, 'bytes 0-2/10, bytes 3-4/10', '', 'bytes 0-3/10'];
    for (const range of [...ranges, ...others]) {
      const answer = await put(world, slot, 'abc', { 'content-range': range });
      expect({ range, status: answer.status }).toEqual({ range, status: 400 });
    }
    expectProblem(await put(world, slot, '', { 'content-range': 'bytes */999999999999999' }), 'too_large');
    expect(await stagedOf(world)).toEqual([]);
  });

  it('slots.put refuses a second one at the same time with 409, and the first goes on', async () => {
    const slot = await reserve(world);
    const first = await begin(world, slot, 50_000);
    const second = await put(world, slot, CONTENT.toUpperCase());
    expectProblem(second, 'conflict');
    expect(second.headers['retry-after']).toBe('1');
    expectProblem(await ask(world, slot), 'conflict');
    first.cut();
    await until(async () => (await ask(world, slot)).status === 308, 'the first one ends');
    await expectWhole(world, slot, await send(world, slot, 50_000));
  });

  it('slots.put of twenty at the same time keeps exactly one, and that one whole', async () => {
    const slot = await reserve(world);
    const bodies = Array.from({ length: 20 }, (_, n) => String.fromCharCode(97 + n).repeat(30_000 + n));
    const answers = await Promise.all(bodies.map((body) => put(world, slot, body)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
    expect(statuses.filter((status) => ![200, 403, 409].includes(status))).toEqual([]);
    const winner = bodies[statuses.indexOf(200)];
    expect(await bytesOf(world, slot.file_id)).toBe(winner);
    expect(await usageOf(world)).toMatchObject({ bytes: winner?.length, files: 1, reserved_bytes: 0 });
  });

  it('slots.put of a slot deleted meanwhile keeps nothing, and gives its room back', async () => {
    const slot = await reserve(world, { expected_file_size: String(SIZE) });
    const upload = await begin(world, slot, 50_000);
    expect((await world.owner.does(`DELETE /storage/${slot.file_id}`)).status).toBe(204);
    upload.cut();
    await until(async () => (await usageOf(world)).reserved_bytes === 0, 'its room is given back');
    await until(async () => (await stagedOf(world)).length === 0, 'what came is gone');
    expectProblem(await ask(world, slot), 'not_found');
  });
});
