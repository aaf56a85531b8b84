import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startTestDaemon, type TestDaemon } from '../support/daemon.ts';
import { type Listener, lineOf, listenTo } from '../support/events.ts';
import { bringAbout, makeWorld, type World } from '../support/scenario.ts';
import { until } from '../support/wait.ts';

const FILES = 10_000;
const DIRECTORIES = 20;

/** What an agent does in its mount, as a process of its own: files in directories that it makes as it goes. */
const SCRIPT = `
  const { mkdirSync, writeFileSync } = require('node:fs');
  for (let n = 0; n < ${FILES}; n++) {
    if (n % ${FILES / DIRECTORIES} === 0) mkdirSync('d' + n % ${DIRECTORIES} + '-' + n);
    const dir = n - n % ${FILES / DIRECTORIES};
    writeFileSync('d' + dir % ${DIRECTORIES} + '-' + dir + '/f' + n, 'x');
  }
`;

describe('ten thousand files made directly in a workspace', () => {
  let daemon: TestDaemon;
  let world: World;
  let listener: Listener;

  beforeAll(async () => {
    daemon = await startTestDaemon();
    world = makeWorld(daemon);
    await bringAbout(world, 'a1/');
    const authorization = `Bearer ${daemon.token({ tenant: world.tenant })}`;
    listener = await listenTo(daemon.url, '/agent/a1/filesystem/events', { authorization });
  });
  afterAll(async () => {
    listener.close();
    await daemon.close();
  });

  it('are each told by an event, or a resync says so', async () => {
    const agent = spawn(process.execPath, ['-e', SCRIPT], { cwd: world.disk('a1'), stdio: 'inherit' });
    const [code] = await once(agent, 'exit');
    expect(code).toBe(0);
    const told = () => new Set(listener.events.filter(({ is_dir }) => !is_dir).map(({ path }) => path)).size;
    const resynced = () => listener.events.some(({ type }) => type === 'resync');
    await until(() => told() === FILES || resynced(), 'all are told', 60_000);
    // Whoever lists after that knows of all, and hears of what comes next.
    await world.owner.writes('a1', 'next', 'x');
    await until(() => listener.events.map(lineOf).includes('created /next'), 'what comes next is told', 30_000);
  }, 120_000);
});
