import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import { type Listener, lineOf, listenTo } from '../../support/events.ts';
import { bringAbout, makeWorld, type World } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

let daemon: TestDaemon;
let world: World;
let listener: Listener;

beforeAll(async () => {
  daemon = await startTestDaemon();
});
afterAll(() => daemon.close());
beforeEach(async () => {
  world = makeWorld(daemon);
  await bringAbout(world, 'store/in/a: 1');
  const authorization = `Bearer ${daemon.token({ tenant: world.tenant })}`;
  listener = await listenTo(daemon.url, '/api/v1/files/events', { authorization });
});
afterEach(() => listener.close());

const told = () => listener.events.map(lineOf);

async function expectTold(lines: readonly string[]): Promise<void> {
  await world.owner.does('POST /api/v1/files/mkdir', { json: { path: 'end' } });
  await until(() => told().includes('created end/'), 'the end is told');
  expect(told()).toEqual([...lines, 'created end/']);
}

describe('store.events', () => {
  it('store.events tells of an upload of several files, in the form of the store', async () => {
    const files = ['up/x', 'in/a'].map((filename) => ({ name: 'files', value: '12', filename }));
    await world.owner.does('POST /api/v1/files/upload', { form: files });
    await expectTold(['created up/', 'created up/x', 'modified in/a']);
    expect(listener.events[1]).toMatchObject({ path: 'up/x', size: 2, is_dir: false, origin: 'api' });
  });

  it('store.events tells of moves, directories and deletions', async () => {
    await world.owner.does('POST /api/v1/files/move', { json: { src_path: 'in/a', dst_path: 'b' } });
    await world.owner.does('POST /api/v1/files/copy', { json: { source: 'b', destination: 'c' } });
    await world.owner.does('DELETE /api/v1/files?path=b');
    await world.owner.does('DELETE /api/v1/files?path=in&recursive=true');
    await expectTold(['moved in/a to b', 'created c', 'deleted b', 'deleted in/']);
  });

  it('store.events tells nothing of an upload that was refused', async () => {
    const files = ['up/x', 'in'].map((filename) => ({ name: 'files', value: '12', filename }));
    expect((await world.owner.does('POST /api/v1/files/upload', { form: files })).status).toBe(400);
    await expectTold([]);
  });

  it('store.events is for those who may read the store', async () => {
    const refused = await world.as({ scope: 'workspace:read' }).does('GET /api/v1/files/events');
    expect(refused.status).toBe(403);
  });
});
