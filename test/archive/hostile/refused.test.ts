import { linkSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { startTestDaemon, type TestDaemon } from '../../support/daemon.ts';
import type { RawEntry } from '../../support/raw-archive.ts';
import { linesOf, makeWorld, type World } from '../../support/scenario.ts';
import { type Temporary, temporaryDirectory } from '../../support/tree.ts';
import { packings, placed, SAMPLES } from './samples.ts';

const EXTRACT = 'POST /agent/a1/filesystem/archives/extract';

let daemon: TestDaemon;
let world: World;
let area: Temporary;

beforeAll(async () => {
  daemon = await startTestDaemon({ env: { WORKSPACE_MAX_FILE_BYTES: '100MiB' } });
  world = makeWorld(daemon);
  area = temporaryDirectory();
  mkdirSync(join(area.path, 'outside'));
  writeFileSync(join(area.path, 'outside/secret'), 'SECRET');
  await world.owner.writes('a1', 'mine.txt', 'mine');
});
afterAll(async () => {
  await daemon.close();
  area[Symbol.dispose]();
});

/** All that an extraction could change: the tree, staging, the ledger, and what is outside. */
async function picture(): Promise<unknown> {
  const { disk, as, tenant } = world;
  return {
    tree: (await linesOf(disk('a1'))).filter((line) => !line.startsWith('hostile: ')),
    staging: readdirSync(join(disk('a1'), '../staging')),
    ledger: ((await as({ scope: 'admin' }).does(`GET /admin/tenants/${tenant}`)).body as { usage: unknown }).usage,
    outside: await linesOf(join(area.path, 'outside')),
    area: readdirSync(area.path),
  };
}

/** What a server does that takes an archive at its word, in a directory beside `outside`. */
function extractNaively(entries: readonly RawEntry[], directory: string): void {
  for (const { name, kind, target = '', content = '' } of entries) {
    const at = resolve(directory, String(name).replace(/^\/+/, '/'));
    mkdirSync(dirname(at), { recursive: true });
    if (kind === 'symlink') symlinkSync(target, at);
    else if (kind === 'hardlink') linkSync(resolve(directory, target), at);
    else if (kind !== 'directory') writeFileSync(at, content);
  }
}

/** True where something of the outside can now be reached below the directory, or something was written beside it. */
function hasEscaped(directory: string): boolean {
  const parent = dirname(directory);
  const isBeside = readdirSync(parent).some((name) => name === 'evil');
  const isOutside = readdirSync(join(parent, 'outside')).includes('evil');
  const reaches = readdirSync(directory, { recursive: true, encoding: 'utf8' }).some((name) => {
    try {
      const real = realpathSync(join(directory, name));
      return !real.startsWith(`${directory}/`) || readFileSync(real, 'utf8') === 'SECRET';
    } catch {
      return false; // a directory, or a link to nothing
    }
  });
  return isBeside || isOutside || reaches;
}

describe('a hostile archive', () => {
  for (const sample of SAMPLES) {
    it(`with ${sample.threat} is refused by name and leaves nothing${sample.escapes ? ', and would not without the guard' : ''}`, async () => {
      for (const [format, archive] of packings(sample, join(area.path, 'outside'))) {
        await world.owner.writes('a1', 'hostile', archive);
        const before = await picture();
        for (const destination of sample.isLarge ? ['out'] : ['out', '/']) {
          const answer = await world.owner.does(EXTRACT, {
            json: { archive_path: 'hostile', destination, overwrite: true },
          });
          expect([format, answer.status, answer.text]).toEqual([
            format,
            400,
            expect.stringContaining('"code":"invalid_request"'),
          ]);
          const { detail } = answer.body as { detail: string };
          for (const words of sample.says)
            expect([format, JSON.stringify(detail).replaceAll('\\"', '"')]).toEqual([
              format,
              expect.stringContaining(words),
            ]);
          expect([format, await picture()]).toEqual([format, before]);
        }
      }
      if (sample.escapes === undefined) return;
      using control = temporaryDirectory();
      mkdirSync(join(control.path, 'outside'));
      writeFileSync(join(control.path, 'outside/secret'), 'SECRET');
      mkdirSync(join(control.path, 'in'));
      extractNaively(
        sample.entries.map((entry) => placed(entry, join(control.path, 'outside'))),
        join(control.path, 'in'),
      );
      expect(hasEscaped(join(control.path, 'in'))).toBe(true);
    });
  }
});
