import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ARCHIVE_FORMATS } from '../../src/archive/formats.ts';

const SCRIPT = fileURLToPath(new URL('bomb-in-pieces.ts', import.meta.url));
const MOST = 16 << 20;

describe.each(ARCHIVE_FORMATS.filter(({ name }) => name !== 'tar'))('a bomb of 96 MiB as $name', ({ name }) => {
  it('goes through in pieces, both ways', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', SCRIPT, name]);
    const { isWhole, ratio, packing, unpacking } = JSON.parse(stdout);
    expect(isWhole).toBe(true);
    expect(ratio).toBeGreaterThan(900);
    expect(packing).toBeLessThan(MOST);
    expect(unpacking).toBeLessThan(MOST);
  });
});
