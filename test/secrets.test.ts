import { execFile } from 'node:child_process';
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { openLog } from '../src/log.ts';
import { openSecrets } from '../src/secrets.ts';
import { refused } from './auth/refused.ts';

const NOTHING = { jwtSecret: null, signingKeys: null };
const SOURCE = new URL('../src/secrets.ts', import.meta.url).href;
const LOG_SOURCE = new URL('../src/log.ts', import.meta.url).href;

describe('openSecrets', () => {
  let dataDir: string;
  let lines: string[];
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const log = openLog({ logLevel: 'info' }, sink);

  beforeEach(async () => {
    dataDir = join(await mkdtemp(join(tmpdir(), 'workspaced-secrets-')), 'root');
    lines = [];
  });

  afterEach(() => rm(join(dataDir, '..'), { recursive: true, force: true }));

  const file = (name: string) => join(dataDir, 'secrets', name);
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

  it('makes each secret once and keeps it, for its owner alone', async () => {
    const first = await openSecrets(dataDir, NOTHING, log);
    expect(Buffer.from(first.jwtSecret, 'base64url')).toHaveLength(48);
    expect(first.signingKeys).toEqual([{ id: 'k1', secret: expect.stringMatching(/^[\w-]{64}$/) }]);
    expect(await openSecrets(dataDir, NOTHING, log)).toEqual(first);
    expect(await readdir(join(dataDir, 'secrets'))).toEqual(['jwt-secret', 'signing-keys']);
    expect(await modeOf(join(dataDir, 'secrets'))).toBe('700');
    for (const name of ['jwt-secret', 'signing-keys']) expect(await modeOf(file(name))).toBe('600');
    expect(lines).toEqual([]);
  });

  it('takes what the settings give, and makes nothing for it', async () => {
    const given = { jwtSecret: 'from the settings', signingKeys: [{ id: 'x', secret: 'y' }] };
    expect(await openSecrets(dataDir, given, log)).toEqual(given);
    await expect(stat(dataDir)).rejects.toThrow('ENOENT');
    const mixed = await openSecrets(dataDir, { ...NOTHING, jwtSecret: 'from the settings' }, log);
    expect(mixed.jwtSecret).toBe('from the settings');
    expect(await readdir(join(dataDir, 'secrets'))).toEqual(['signing-keys']);
  });

  it('reads signing keys that an operator wrote there', async () => {
    await mkdir(join(dataDir, 'secrets'), { recursive: true, mode: 0o700 });
    const [one, two] = ['one strong secret 0123456789 abcdef', 'two strong secret 0123456789 abcdef'];
    await writeFile(file('signing-keys'), `new:${one},old:${two}\n`, { mode: 0o600 });
    const { signingKeys } = await openSecrets(dataDir, NOTHING, log);
    expect(signingKeys).toEqual([
      { id: 'new', secret: one },
      { id: 'old', secret: two },
    ]);
  });

  it('tightens what others may read, and warns without telling the secret', async () => {
    const { jwtSecret } = await openSecrets(dataDir, NOTHING, log);
    await chmod(file('jwt-secret'), 0o644);
    await chmod(join(dataDir, 'secrets'), 0o755);
    expect((await openSecrets(dataDir, NOTHING, log)).jwtSecret).toBe(jwtSecret);
    expect(await modeOf(file('jwt-secret'))).toBe('600');
    expect(await modeOf(join(dataDir, 'secrets'))).toBe('700');
    const said = lines.join('');
    expect(lines).toHaveLength(2);
    expect(said).toContain('secrets/jwt-secret could be read by other users');
    expect(said).not.toContain(jwtSecret);
    expect(said).not.toContain(dataDir);
  });

  it('refuses a kept secret that is empty, weak, huge or no file, and never replaces it', async () => {
    await mkdir(join(dataDir, 'secrets'), { recursive: true, mode: 0o700 });
    for (const text of ['', 'short', 'z'.repeat(64), 'abcd'.repeat(40_000)]) {
      await writeFile(file('jwt-secret'), text, { mode: 0o600 });
      const error = await refused('invalid_request', () => openSecrets(dataDir, NOTHING, log));
      expect(error.message).toContain('secrets/jwt-secret in the data root cannot be used');
      expect(await readFile(file('jwt-secret'), 'utf8')).toBe(text);
    }
  });

  it('does not follow a link that lies where a secret should', async () => {
    await mkdir(join(dataDir, 'secrets'), { recursive: true, mode: 0o700 });
    await writeFile(join(dataDir, 'elsewhere'), 'a strong secret 0123456789 abcdefgh');
    await symlink('../elsewhere', file('jwt-secret'));
    const error = await refused('symlink', () => openSecrets(dataDir, NOTHING, log));
    expect(error.message).not.toContain(dataDir);
    expect(await modeOf(join(dataDir, 'elsewhere'))).toBe('644');
  });

  it('gives every process the same secrets when many start at once', async () => {
    const program = `
      const { openSecrets } = await import('${SOURCE}');
      const { openLog } = await import('${LOG_SOURCE}');
      const log = openLog({ logLevel: 'silent' });
      const opened = await Promise.all([1, 2, 3, 4].map(() => openSecrets(process.argv[1], ${JSON.stringify(NOTHING)}, log)));
      console.log(JSON.stringify(opened));`;
    const run = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, dataDir]);
    const outputs = await Promise.all(Array.from({ length: 6 }, run));
    const opened = outputs.flatMap(({ stdout }): unknown[] => JSON.parse(stdout));
    expect(opened).toHaveLength(24);
    expect(new Set(opened.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(await readdir(join(dataDir, 'secrets'))).toEqual(['jwt-secret', 'signing-keys']);
    expect((await stat(file('jwt-secret'))).nlink).toBe(1);
  });

  it('rests on link, which refuses an existing name: a rename would let the last one win', async () => {
    await mkdir(dataDir, { recursive: true });
    const [one, two] = [join(dataDir, 'one'), join(dataDir, 'two')];
    for (const path of [one, two]) await writeFile(path, path);
    await expect(link(one, two)).rejects.toThrow('EEXIST');
  });
});
