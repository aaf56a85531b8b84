import { Writable } from 'node:stream';
import { makeApiKey } from '../src/auth/api-key.ts';
import { makeToken } from '../src/auth/token.ts';
import { type LogLevel, openLog } from '../src/log.ts';

/** A log and the lines it wrote. */
function capture(logLevel: LogLevel = 'info') {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  return { log: openLog({ logLevel }, sink), lines };
}

const TOKEN = makeToken('a secret for tests only: 0123456789abcdef', { tenant: 'acme' }, 60);
const KEY = makeApiKey().secret;

describe('the log', () => {
  it('writes one JSON object a line, with level, time, fields and sentence', () => {
    const { log, lines } = capture();
    log.info({ requestId: 'r1' }, 'a file was\nwritten');
    const line: unknown = JSON.parse(lines.join(''));
    expect(line).toMatchObject({ level: 'info', requestId: 'r1', msg: 'a file was\nwritten' });
    expect(line).toHaveProperty('time', expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/));
    expect(lines.join('').trimEnd().split('\n')).toHaveLength(1);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = capture('warn');
    log.info('nothing');
    log.warn('something');
    expect(lines).toHaveLength(1);
    const silent = capture('silent');
    silent.log.fatal('nothing');
    expect(silent.lines).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['an authorization header', { headers: { authorization: 'Bearer opaque-secret' } }, 'opaque-secret'],
    ['a deep header', { req: { raw: { headers: { Authorization: 'Basic b3BhcXVl' } } } }, 'b3BhcXVl'],
    ['a header of several values', { headers: { authorization: ['Bearer opaque-secret'] } }, 'opaque-secret'],
    ['a value with a quote in it', { headers: { 'x-api-key': 'a"opaque-secret' } }, 'opaque-secret'],
    ['an X-API-Key', { headers: { 'x-api-key': 'opaque-secret' } }, 'opaque-secret'],
    ['an X-Sapiom-Api-Key', { 'x-sapiom-api-key': 'opaque-secret' }, 'opaque-secret'],
    ['a cookie', { headers: { cookie: 'a=opaque-secret' } }, 'opaque-secret'],
    ['a JWT in any field', { note: `got ${TOKEN}, sorry` }, TOKEN],
    ['an API key in any field', { note: KEY }, KEY],
    ['a bearer in a command', { note: "curl -H 'Authorization: Bearer opaque-secret'" }, 'opaque-secret'],
    ['a signed query', { url: '/signed/files/f1?token=k1.abc.def&x=1' }, 'k1.abc.def'],
    ['a password in a URL', { err: new Error('postgres://me:opaque-secret@db/x is away') }, 'opaque-secret'],
  ])('does not tell %s', (_, fields, secret) => {
    const { log, lines } = capture();
    log.error(fields, 'something happened');
    const line = lines.join('');
    // The field was written, or the test would prove nothing
    expect(line).toContain('[redacted]');
    expect(line).not.toContain(secret);
    expect(JSON.parse(line)).toMatchObject({ msg: 'something happened' });
  });

  it('does not tell a token in the sentence itself', () => {
    const { log, lines } = capture();
    log.info(`token ${TOKEN}`);
    expect(lines.join('')).not.toContain(TOKEN);
  });
});
