import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { DATABASES } from '../support/databases.ts';
import { House, Site } from './house.ts';

const NAME_BYTES = 249;

/** Writes a file below so many directories of random names, in the workspace. Returns its path. */
function plant(house: House, depth: number, content: string): string {
  const name = () => randomBytes(NAME_BYTES).toString('base64url').slice(0, NAME_BYTES);
  const names = Array.from({ length: depth }, name);
  // Step by step, as an agent can: the kernel takes no path this long at once.
  const script =
    'last=$1; shift; for name; do mkdir -- "$name" && cd -P -- "$name" || exit 1; done; printf %s "$last" >f';
  execFileSync('sh', ['-c', script, 'sh', content, ...names], { cwd: house.made('.') });
  return [...names, 'f'].join('/');
}

/** The way to `path` from a directory near it, for a change the kernel would refuse by the whole path. */
function change(house: House, path: string, content: string): void {
  const names = path.split('/').slice(0, -1);
  const script = 'last=$1; shift; for name; do cd -P -- "$name" || exit 1; done; printf %s "$last" >f';
  execFileSync('sh', ['-c', script, 'sh', content, ...names], { cwd: house.disk() });
}

describe.each(DATABASES)('paths as long as an agent can make them, on $name', (kind) => {
  let site: Site;
  let house: House;

  beforeAll(async () => {
    site = await Site.open(kind);
  });

  afterAll(() => site.close());

  beforeEach(async () => {
    house = await House.open(site);
    await house.finish(await house.start());
  });

  // 12 directories: 3 kB, more than an index of PostgreSQL holds. 20: 5 kB, more than the kernel takes as a path.
  it.each([12, 20])('a file below %d of the longest names is taken for what it is by every run', async (depth) => {
    const path = plant(house, depth, 'before');
    const untouched = await house.start();
    await house.finish(untouched);
    expect([await house.outputs(untouched), await house.skipped(untouched)]).toEqual([[], []]);

    const touched = await house.start();
    change(house, path, 'changed by the run');
    expect(await house.finish(touched)).toMatchObject({ status: 'completed' });
    expect(await house.outputs(touched)).toEqual([`${path}: changed by the run`]);
    expect(await house.skipped(touched)).toEqual([]);

    const removing = await house.start();
    const made = plant(house, depth, 'made by the run');
    await house.finish(removing);
    expect(await house.outputs(removing)).toEqual([`${made}: made by the run`]);
  });
});
