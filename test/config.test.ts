import { generateKeyPairSync } from 'node:crypto';
import { type Config, readConfig, SETTINGS, warningsOf } from '../src/config.ts';
import { refused } from './auth/refused.ts';

const STRONG = 'a strong secret of the tests 0123456789';
const PEM = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();

/** The sentence a bad setting stops the start with. */
async function sentence(env: Readonly<Record<string, string>>): Promise<string> {
  return (await refused('invalid_request', () => readConfig(env))).message;
}

describe('readConfig', () => {
  it('has a default for everything, and is frozen', () => {
    const config = readConfig({});
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      publicUrl: null,
      dataDir: `${process.cwd()}/workspaces`,
      databaseUrl: `sqlite:${process.cwd()}/workspaces/workspaced.db`,
      tenantAutocreate: true,
      tenantQuotaBytes: 10 * 1024 ** 3,
      storeMaxFileBytes: 52_428_800,
      filesMaxFileBytes: 5 * 1024 ** 3,
      jsonMaxBytes: 64 * 1024 ** 2,
      editMaxBytes: 64 * 1024 ** 2,
      diskReserveBytes: 1024 ** 3,
      watchMaxDirs: 10_000,
      workers: 1,
      durability: 'fsync',
      logLevel: 'info',
      development: true,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('takes an empty variable as unset, and other variables are not its business', () => {
    expect(readConfig({ PORT: '', JWT_SECRET: '', PROT: '1', HOME: '/root' })).toEqual(readConfig({}));
  });

  it('keeps the database in the data root unless told otherwise', () => {
    expect(readConfig({ DATA_DIR: '/srv/w' }).databaseUrl).toBe('sqlite:/srv/w/workspaced.db');
    expect(readConfig({ DATABASE_URL: 'postgres://u:p@db/w' }).databaseUrl).toBe('postgres://u:p@db/w');
  });

  it('lists every variable once, with a default and a meaning', () => {
    const variables = SETTINGS.map((setting) => setting.variable);
    expect(new Set(variables).size).toBe(variables.length);
    for (const setting of SETTINGS) {
      expect(setting.variable).toMatch(/^[A-Z_]+$/);
      expect(setting.shownDefault).not.toBe('');
      expect(setting.meaning).not.toBe('');
    }
  });
});

describe('a setting', () => {
  it.each<[string, string, keyof Config, unknown]>([
    ['MOUNT_DIR', '/srv/data root/', 'mountDir', '/srv/data root'],
    ['STORE_MAX_FILE_BYTES', '1048576', 'storeMaxFileBytes', 1_048_576],
    ['STORE_MAX_FILE_BYTES', '7 b', 'storeMaxFileBytes', 7],
    ['STORE_MAX_FILE_BYTES', '50MiB', 'storeMaxFileBytes', 50 * 1024 ** 2],
    ['STORE_MAX_FILE_BYTES', '50mib', 'storeMaxFileBytes', 50 * 1024 ** 2],
    ['STORE_MAX_FILE_BYTES', '3 KiB', 'storeMaxFileBytes', 3072],
    ['STORE_MAX_FILE_BYTES', '2GiB', 'storeMaxFileBytes', 2 * 1024 ** 3],
    ['STORE_MAX_FILE_BYTES', '8TiB', 'storeMaxFileBytes', 8 * 1024 ** 4],
    ['STORE_MAX_FILE_BYTES', '3KB', 'storeMaxFileBytes', 3000],
    ['STORE_MAX_FILE_BYTES', '50MB', 'storeMaxFileBytes', 50_000_000],
    ['STORE_MAX_FILE_BYTES', '1GB', 'storeMaxFileBytes', 1e9],
    ['STORE_MAX_FILE_BYTES', '1TB', 'storeMaxFileBytes', 1e12],
    ['TENANT_QUOTA_BYTES', '0', 'tenantQuotaBytes', 0],
    ['PORT', '0', 'port', 0],
    ['HOST', '::1', 'host', '::1'],
    ['HOST', 'files.example', 'host', 'files.example'],
    ['PUBLIC_URL', 'https://files.example/', 'publicUrl', 'https://files.example'],
    ['PUBLIC_URL', 'https://files.example:8443/w/', 'publicUrl', 'https://files.example:8443/w'],
    ['TRUST_PROXY', '1', 'trustProxy', 1],
    ['TRUST_PROXY', 'loopback, 10.0.0.0/8,fd00::/8', 'trustProxy', ['loopback', '10.0.0.0/8', 'fd00::/8']],
    [
      'CORS_ORIGINS',
      'https://a.example, http://b.example:81',
      'corsOrigins',
      ['https://a.example', 'http://b.example:81'],
    ],
    ['DATABASE_URL', 'sqlite::memory:', 'databaseUrl', 'sqlite::memory:'],
    ['EVENTS_RETENTION', '90s', 'eventsRetentionMs', 90_000],
    ['EVENTS_RETENTION', '7d', 'eventsRetentionMs', 604_800_000],
    ['JWT_SECRET', STRONG, 'jwtSecret', STRONG],
    [
      'SIGNING_KEYS',
      `b:${STRONG}:2, a:${STRONG}`,
      'signingKeys',
      [
        { id: 'b', secret: `${STRONG}:2` },
        { id: 'a', secret: STRONG },
      ],
    ],
    ['JWT_PUBLIC_KEY', PEM.replaceAll('\n', '\\n'), 'jwtPublicKey', PEM],
    ['ACCEL_REDIRECT', '/protected/', 'accelRedirect', '/protected'],
    ['TENANT_AUTOCREATE', 'false', 'tenantAutocreate', false],
    ['DURABILITY', 'none', 'durability', 'none'],
    ['NODE_ENV', 'production', 'development', false],
    ['NODE_ENV', 'test', 'development', true],
  ])('%s=%s is read', (variable, text, key, value) => {
    expect(readConfig({ [variable]: text })[key]).toEqual(value);
  });

  it.each<[string, string]>([
    ['ACCEL_REDIRECT', 'protected'],
    ['ACCEL_REDIRECT', '/a/../b'],
    ['ACCEL_REDIRECT', '/a\r\nX: 1'],
    ['PORT', 'http'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80.5'],
    ['PORT', '0x50'],
    ['HOST', '[::1]'],
    ['HOST', '127.0.0.1:80'],
    ['HOST', 'http://x'],
    ['PUBLIC_URL', 'files.example'],
    ['PUBLIC_URL', 'ftp://files.example'],
    ['PUBLIC_URL', 'https://files.example/?a=1'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', '0'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', 'everyone'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'https://a.example/path'],
    ['CORS_ORIGINS', 'a.example'],
    ['MOUNT_DIR', 'data'],
    ['MOUNT_DIR', '/'],
    ['MOUNT_DIR', '/srv/../etc'],
    ['DATABASE_URL', 'mysql://x/y'],
    ['EVENTS_RETENTION', '30s'],
    ['EVENTS_RETENTION', '31d'],
    ['EVENTS_RETENTION', '24'],
    ['DATABASE_URL', 'sqlite:'],
    ['STORE_MAX_FILE_BYTES', '50 potatoes'],
    ['STORE_MAX_FILE_BYTES', '1.5GiB'],
    ['STORE_MAX_FILE_BYTES', '50M'],
    ['STORE_MAX_FILE_BYTES', '0'],
    ['STORE_MAX_FILE_BYTES', '-5MiB'],
    ['STORE_MAX_FILE_BYTES', '9007199254740992'],
    ['STORE_MAX_FILE_BYTES', '9000TiB'],
    ['JSON_MAX_BYTES', '1GiB'],
    ['EDIT_MAX_BYTES', '1GiB'],
    ['TENANT_QUOTA_FILES', '1e3'],
    ['TENANT_AUTOCREATE', 'maybe'],
    ['WORKERS', '0'],
    ['WORKERS', '65'],
    ['DURABILITY', 'maybe'],
    ['LOG_LEVEL', 'loud'],
    ['JWT_JWKS_URL', 'file:///etc/keys'],
    ['JWT_ISSUER', 'two words'],
  ])('%s=%s stops the start with a sentence that names both', async (variable, text) => {
    const said = await sentence({ [variable]: text });
    expect(said.startsWith(`${variable} is `)).toBe(true);
    expect(said).toContain('must be');
    if (variable !== 'DATABASE_URL') expect(said).toContain(JSON.stringify(text));
  });

  it.each<[string, string]>([
    ['JWT_SECRET', 'too short to be used'],
    ['JWT_SECRET', 'z'.repeat(64)],
    ['JWT_SECRET', 'zy'.repeat(32)],
    ['SIGNING_KEYS', 'k1:too-short-a-secret'],
    ['SIGNING_KEYS', `no-id-but-a-long-secret-0123456789`],
    ['SIGNING_KEYS', `k1:${STRONG},k1:${STRONG}x`],
    ['SIGNING_KEYS', `k1:${STRONG},k2:${'z'.repeat(40)}`],
    ['DATABASE_URL', 'postgresql+x://me:zhe-password@db/w'],
    ['METRICS_TOKEN', 'zhe metrics token'],
    ['JWT_PUBLIC_KEY', 'not-a-pem-at-all'],
  ])('%s is refused without repeating it', async (variable, text) => {
    const said = await sentence({ [variable]: text });
    expect(said).toContain(`${variable} is set to a value that is not shown here; it must be`);
    expect(said).not.toContain(text);
    for (const part of text.split(/[:,@ ]/).filter((piece) => piece.length > 8)) expect(said).not.toContain(part);
  });

  it('does not repeat the password of a URL either', async () => {
    const said = await sentence({ PUBLIC_URL: 'https://me:zhe-password@files.example' });
    expect(said).toContain('PUBLIC_URL is "https://…@files.example"; it must be');
  });

  it('JWT_PUBLIC_KEY takes no private key, no short one and no other kind', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    const curve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
    const edwards = generateKeyPairSync('ed25519').publicKey;
    const pems = [short, curve, edwards].map((key) => key.export({ type: 'spki', format: 'pem' }).toString());
    for (const pem of [...pems, rsa.export({ type: 'pkcs8', format: 'pem' }).toString()]) {
      const said = await sentence({ JWT_PUBLIC_KEY: pem });
      expect(said).not.toContain(pem.split('\n')[1]);
    }
  });
});

describe('settings that contradict each other', () => {
  it.each<[string, Record<string, string>]>([
    ['WORKSPACE_UID and WORKSPACE_GID', { WORKSPACE_UID: '1000' }],
    ['WORKSPACE_GID and WORKSPACE_UID', { WORKSPACE_GID: '1000' }],
    ['JWT_PUBLIC_KEY and JWT_JWKS_URL', { JWT_PUBLIC_KEY: PEM, JWT_JWKS_URL: 'https://issuer.example/keys' }],
    ['SIGNED_PORT and PORT', { SIGNED_PORT: '8080' }],
    ['WORKERS and memory', { WORKERS: '2', DATABASE_URL: 'sqlite::memory:' }],
  ])('%s stop the start', async (names, env) => {
    const said = await sentence(env);
    for (const name of names.split(' and ')) expect(said).toContain(name);
  });

  it('do not, where they only look so', () => {
    const config = readConfig({ WORKSPACE_UID: '0', WORKSPACE_GID: '0', PORT: '0', SIGNED_PORT: '0', WORKERS: '2' });
    expect(config).toMatchObject({ workspaceUid: 0, workspaceGid: 0, port: 0, signedPort: 0, workers: 2 });
  });
});

describe('warningsOf', () => {
  it.each<[string, Record<string, string>]>([
    ['PUBLIC_URL', { HOST: '0.0.0.0' }],
    ['PUBLIC_URL', { HOST: '::' }],
    ['JWT_JWKS_URL', { JWT_JWKS_URL: 'http://issuer.example/keys' }],
    ['JWT_SECRET', { JWT_SECRET: STRONG, JWT_PUBLIC_KEY: PEM }],
    ['DURABILITY', { DURABILITY: 'none' }],
    ['WEBHOOKS_ALLOW_PRIVATE', { WEBHOOKS_ALLOW_PRIVATE: 'true' }],
  ])('tells of %s', (name, env) => {
    const warnings = warningsOf(readConfig(env));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(name);
  });

  it('is silent where there is nothing to tell', () => {
    expect(warningsOf(readConfig({}))).toEqual([]);
    const env = { HOST: '0.0.0.0', PUBLIC_URL: 'https://f.example', JWT_JWKS_URL: 'http://127.0.0.1:9/k' };
    expect(warningsOf(readConfig(env))).toEqual([]);
  });
});
