import { createPublicKey } from 'node:crypto';
import { isIP } from 'node:net';
import { posix } from 'node:path';
import { algorithmOf } from './auth/algorithm.ts';
import type { SigningKey } from './auth/link.ts';
import { parseDuration } from './durations.ts';

/** How the text of one setting is read. */
export interface Parser<T> {
  /** Completes "it must be …". */
  readonly allowed: string;
  /** undefined: refused. */
  parse(text: string): T | undefined;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
};
const MIN_SECRET_BYTES = 32;
const MIN_DISTINCT_CHARACTERS = 4;
const PROXY_NAMES: readonly string[] = ['loopback', 'linklocal', 'uniquelocal'];

export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Parser<number> {
  const above = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  return { allowed: `a whole number ${above}`, parse: (text) => bounded(text, min, max) };
}

/** Bytes: a whole number, alone or with a unit: of 1,024 (`KiB`, `MiB`, `GiB`, `TiB`) or of 1,000 (`KB` to `TB`). */
export function size(min: number, max: number = Number.MAX_SAFE_INTEGER): Parser<number> {
  const bounds = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `${min} to ${max}`;
  return {
    allowed: `a whole number of bytes such as 1048576, 50MiB (units of 1024) or 50MB (units of 1000), ${bounds}`,
    parse(text) {
      const [, digits = '', unit = ''] = /^(\d{1,16}) ?([a-z]*)$/i.exec(text) ?? [];
      const factor = UNITS[unit.toLowerCase()];
      if (digits === '' || factor === undefined) return undefined;
      return within(Number(digits) * factor, min, max);
    },
  };
}

/** Milliseconds: a whole number with its unit, `s`, `m`, `h` or `d`. The bounds are texts of the same form. */
export function duration(min: string, max: string): Parser<number> {
  const [minMs, maxMs] = [milliseconds(min) ?? 0, milliseconds(max) ?? 0];
  return {
    allowed: `a whole number of seconds, minutes, hours or days such as 90s, 15m, 24h or 7d, from ${min} to ${max}`,
    parse: (text) => within(milliseconds(text) ?? Number.NaN, minMs, maxMs),
  };
}

function milliseconds(text: string): number | undefined {
  const seconds = /[smhd]$/.test(text) ? parseDuration(text) : null;
  return seconds === null ? undefined : seconds * 1000;
}

export function oneOf<const T extends string>(words: readonly T[]): Parser<T> {
  return { allowed: `one of ${words.join(', ')}`, parse: (text) => words.find((word) => word === text) };
}

export const truth: Parser<boolean> = {
  allowed: 'true or false',
  parse: (text) =>
    new Map([
      ['true', true],
      ['1', true],
      ['false', false],
      ['0', false],
    ]).get(text),
};

export const word: Parser<string> = {
  allowed: 'printable text without spaces, of at most 1024 characters',
  parse: (text) => (/^[!-~]{1,1024}$/.test(text) ? text : undefined),
};

/** `production` or anything else. */
export const notProduction: Parser<boolean> = { allowed: 'any word', parse: (text) => text !== 'production' };

export const directory: Parser<string> = {
  allowed: 'the path of a directory',
  parse: (text) => (text.includes('\0') ? undefined : text),
};

/** A slash at its end is dropped. */
export const absolutePath: Parser<string> = {
  allowed: 'an absolute path other than /, without . and .. in it',
  parse(text) {
    const path = text.replace(/\/+$/, '');
    return path !== '' && posix.isAbsolute(text) && posix.normalize(path) === path && !text.includes('\0')
      ? path
      : undefined;
  },
};

/** A location of a proxy, `/protected`. A slash at its end is dropped. */
export const location: Parser<string> = {
  allowed: 'a path such as /protected, of letters, digits, ".", "_", "-" and slashes',
  parse(text) {
    const path = text.replace(/\/$/, '');
    return /^(?:\/[A-Za-z0-9._-]+)+$/.test(path) && posix.normalize(path) === path ? path : undefined;
  },
};

export const hostName: Parser<string> = {
  allowed: 'an IP address or a host name, without port or brackets',
  parse: (text) =>
    isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(text) ? text : undefined,
};

/** An absolute http or https URL without query; a slash at its end is dropped. */
export const baseUrl: Parser<string> = {
  allowed: 'an http:// or https:// URL without user, query or fragment',
  parse(text) {
    const url = httpUrl(text);
    if (url === null || url.search !== '' || url.hash !== '' || /[?#]/.test(text)) return undefined;
    return url.href.replace(/\/+$/, '');
  },
};

export const documentUrl: Parser<string> = {
  allowed: 'an http:// or https:// URL without user or fragment',
  parse(text) {
    const url = httpUrl(text);
    return url === null || url.hash !== '' ? undefined : url.href;
  },
};

export const origins: Parser<readonly string[]> = {
  allowed: 'a comma-separated list of exact origins such as https://app.example.com; there is no wildcard',
  parse(text) {
    const list = items(text);
    return list.length > 0 && list.every((item) => httpUrl(item)?.origin === item) ? list : undefined;
  },
};

/** A number of hops, or addresses, networks and the names Express knows. */
export const proxies: Parser<number | readonly string[]> = {
  allowed:
    'the number of proxies in front (1 to 16), or a comma-separated list of their addresses, networks, or ' +
    'loopback, linklocal, uniquelocal',
  parse(text) {
    if (/^\d+$/.test(text)) return bounded(text, 1, 16);
    const list = items(text);
    return list.length > 0 && list.every(isProxy) ? list : undefined;
  },
};

export const databaseUrl: Parser<string> = {
  allowed: 'sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE',
  parse(text) {
    if (/^sqlite:./.test(text)) return text;
    return /^postgres(ql)?:\/\//.test(text) && URL.canParse(text) ? text : undefined;
  },
};

export const secret: Parser<string> = {
  allowed: `at least ${MIN_SECRET_BYTES} bytes that are hard to guess, such as the output of "openssl rand -base64 48"`,
  parse: (text) => (isStrong(text) ? text : undefined),
};

/** `id:secret,…` with strong secrets and no id twice. */
export const signingKeys: Parser<readonly SigningKey[]> = {
  allowed:
    'a comma-separated list of id:secret, each id once and of letters, digits, "_" or "-" (at most 32), each secret ' +
    `of at least ${MIN_SECRET_BYTES} bytes that are hard to guess`,
  parse(text) {
    const keys = items(text).map((item) => {
      const [, id = '', value = ''] = /^([A-Za-z0-9_-]{1,32}):(.+)$/.exec(item) ?? [];
      return Object.freeze({ id, secret: value });
    });
    const distinct = new Set(keys.map((key) => key.id)).size === keys.length;
    return keys.length > 0 && distinct && keys.every((key) => isStrong(key.secret)) ? keys : undefined;
  },
};

/** A PEM, also with its line breaks written as `\n`. A private key is refused: it does not belong here. */
export const publicKey: Parser<string> = {
  allowed: 'the PEM of an RSA public key of at least 2048 bits or of an EC public key on P-256',
  parse(text) {
    const pem = text.replaceAll('\\n', '\n');
    return !pem.includes('PRIVATE') && verifiesTokens(pem) ? pem : undefined;
  },
};

function verifiesTokens(pem: string): boolean {
  try {
    return algorithmOf(createPublicKey(pem)) !== null;
  } catch {
    // no key at all
    return false;
  }
}

function isStrong(text: string): boolean {
  return Buffer.byteLength(text) >= MIN_SECRET_BYTES && new Set(text).size >= MIN_DISTINCT_CHARACTERS;
}

function isProxy(item: string): boolean {
  if (PROXY_NAMES.includes(item)) return true;
  const [address = '', bits, ...rest] = item.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

function httpUrl(text: string): URL | null {
  const url = URL.parse(text);
  const plain = url !== null && url.username === '' && url.password === '';
  return plain && (url.protocol === 'http:' || url.protocol === 'https:') ? url : null;
}

function items(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function bounded(text: string, min: number, max: number): number | undefined {
  return /^\d{1,16}$/.test(text) ? within(Number(text), min, max) : undefined;
}

function within(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}
