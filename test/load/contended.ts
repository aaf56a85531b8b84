import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DATABASES, type DatabaseKind } from '../support/databases.ts';
import { childrenOf, type DaemonProcess, startProcess } from '../support/process.ts';
import { until } from '../support/wait.ts';
import { CARELESS, CONDITIONAL_WAYS, contend, Editor } from './editor.ts';

const CARELESS_ROUNDS = 10;
const PROBES = 16;
// Which process answers a connection is read from the log.
const ENV = { DURABILITY: 'none', LOG_LEVEL: 'info' };

/** Two editors, each with a process of its own over one root. */
interface Site extends AsyncDisposable {
  readonly editors: readonly [Editor, Editor];
}

async function twoWorkers(): Promise<Site> {
  const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-edits-'));
  const daemon = await startProcess(dataDir, { ...ENV, WORKERS: '2' });
  const editors = new Map<number, Editor>();
  await until(() => oneEach(daemon, editors), 'two workers answer', 20_000);
  return siteOf([...editors.values()], async () => {
    await daemon.kill();
    await rm(dataDir, { recursive: true, force: true });
  });
}

/** Keeps an editor of each worker; the kernel decides whose a connection is. */
async function oneEach(daemon: DaemonProcess, editors: Map<number, Editor>): Promise<boolean> {
  const probes = Array.from({ length: PROBES }, () => new Editor(daemon.url));
  await Promise.all(
    probes.map(async (editor) => {
      const { headers } = await editor.does('GET /healthz');
      const line = new RegExp(`"pid":(\\d+),"requestId":"${headers['x-request-id']}"`);
      await until(() => line.test(daemon.output()), 'the request is in the log');
      const pid = Number(line.exec(daemon.output())?.[1]);
      if (editors.has(pid)) editor.close();
      else editors.set(pid, editor);
    }),
  );
  const workers = await childrenOf(daemon.pid);
  return workers.length === 2 && workers.every((pid) => editors.has(pid));
}

async function twoDaemons(kind: DatabaseKind): Promise<Site> {
  const dataDir = await mkdtemp(join(tmpdir(), 'workspaced-edits-'));
  const database = await kind.create();
  const env = { ...ENV, DATABASE_URL: database.url };
  const daemons = [await startProcess(dataDir, env), await startProcess(dataDir, env)];
  return siteOf(
    daemons.map(({ url }) => new Editor(url)),
    async () => {
      for (const daemon of daemons) await daemon.kill();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  );
}

function siteOf([one, other]: readonly Editor[], close: () => Promise<void>): Site {
  if (one === undefined || other === undefined) throw new Error('there are two');
  return {
    editors: [one, other],
    [Symbol.asyncDispose]: async () => {
      one.close();
      other.close();
      await close();
    },
  };
}

const SITES = DATABASES.map((kind) => ({
  name: kind.name === 'sqlite' ? 'two workers over SQLite' : 'two daemons over PostgreSQL',
  open: kind.name === 'sqlite' ? twoWorkers : () => twoDaemons(kind),
}));

/** Two clients make `edits` updates of one file, together, through two processes over each kind of database. */
export function describeContendedEdits(edits: number): void {
  describe.each(SITES)('two clients that edit one file through $name', ({ open }) => {
    it(
      `lose none of ${edits} updates with If-Match, and one in two without`,
      async () => {
        await using site = await open();
        const rounds = edits / site.editors.length;
        const careful = await contend(site.editors, rounds, CONDITIONAL_WAYS);
        expect(careful.count).toBe(edits);
        // of two that had read the same, one had to read again
        expect(careful.refused).toBeGreaterThanOrEqual(rounds);
        const careless = await contend(site.editors, CARELESS_ROUNDS, [CARELESS]);
        expect(careless.count).toBe(CARELESS_ROUNDS);
      },
      60_000 + edits * 200,
    );
  });
}
