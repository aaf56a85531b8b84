import { EVENT_PAUSE, pauseMs, WEBHOOK_PAUSE } from '../../src/core/webhooks/patience.ts';
import { crossings } from '../../src/core/webhooks/quota-warnings.ts';
import { signatureOf } from '../../src/core/webhooks/signature.ts';

const holds = (bytes: number, files = 0, limitBytes = 100, limitFiles = 0) => ({
  bytes,
  files,
  limitBytes,
  limitFiles,
});
const crossed = (...states: Parameters<typeof crossings>) =>
  crossings(...states).map(({ unit, threshold }) => `${unit} ${threshold}`);

describe('a crossing', () => {
  it('is told once on the way up, each threshold for itself, and not on the way down', () => {
    expect(crossed(holds(79), holds(80))).toEqual(['bytes 80']);
    expect(crossed(holds(80), holds(89))).toEqual([]);
    expect(crossed(holds(0), holds(100))).toEqual(['bytes 80', 'bytes 90']);
    expect(crossed(holds(100), holds(10))).toEqual([]);
    expect(crossed(holds(0, 7, 0, 10), holds(0, 8, 0, 10))).toEqual(['files 80']);
    expect(crossings(holds(79), holds(95))[1]).toEqual({ unit: 'bytes', threshold: 90, used: 95, limit: 100 });
  });

  it('is also a limit that is lowered, or set where none was; without a limit there is none', () => {
    expect(crossed(holds(50), holds(50, 0, 60))).toEqual(['bytes 80']);
    expect(crossed(holds(50, 0, 0), holds(50, 0, 50))).toEqual(['bytes 80', 'bytes 90']);
    expect(crossed(holds(0, 0, 0), holds(1e15, 1e9, 0))).toEqual([]);
    expect(crossed(holds(50, 0, 50), holds(50, 0, 0))).toEqual([]);
  });
});

describe('a pause', () => {
  it('doubles with every failure up to a bound, and is spread over its second half', () => {
    expect([1, 2, 3].map((failures) => pauseMs(EVENT_PAUSE, failures, 1))).toEqual([5000, 10_000, 20_000]);
    expect(pauseMs(EVENT_PAUSE, 1, 0)).toBe(2500);
    expect(pauseMs(EVENT_PAUSE, 2000, 1)).toBe(900_000);
    expect(pauseMs(WEBHOOK_PAUSE, 50, 1)).toBe(300_000);
  });
});

describe('a signature', () => {
  it('is the HMAC-SHA256 of the second and the body, as any other implementation makes it', () => {
    // printf '1768469400.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
    const v1 = '21b7b523eafa2f4f5955b67797938fc04c92398eeb7390f08589418f86b8f2c7';
    const at = new Date('2026-01-15T09:30:00.987Z');
    expect(signatureOf('{"a":1}', '0123456789abcdef', at)).toBe(`t=1768469400,v1=${v1}`);
  });
});
