import { generateKeyPairSync, sign } from 'node:crypto';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

const ECDSA_WITH_SHA256 = [42, 134, 72, 206, 61, 4, 3, 2];
const COMMON_NAME = [85, 4, 3];
const ALTERNATIVE_NAME = [85, 29, 17];
const BASIC_CONSTRAINTS = [85, 29, 19];

/** One element of DER: a tag, a length, the content. */
function der(tag: number, ...content: readonly (Buffer | readonly number[])[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => Buffer.from(part)));
  const { length } = bytes;
  const written = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...written]), bytes]);
}
const sequence = (...content: readonly Buffer[]) => der(0x30, ...content);
const oid = (bytes: readonly number[]) => der(0x06, bytes);

/** A certificate that a host signed for itself, good for this century: the tests need no tool to make one. */
export function selfSigned(host: string): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = sequence(oid(ECDSA_WITH_SHA256));
  const name = sequence(der(0x31, sequence(oid(COMMON_NAME), der(0x0c, Buffer.from(host)))));
  const time = (text: string) => der(0x18, Buffer.from(text));
  const named = sequence(oid(ALTERNATIVE_NAME), der(0x04, sequence(der(0x82, Buffer.from(host)))));
  const authority = sequence(oid(BASIC_CONSTRAINTS), der(0x04, sequence(der(0x01, [255]))));
  const content = sequence(
    der(0xa0, der(0x02, [2])),
    der(0x02, [1]),
    algorithm,
    name,
    sequence(time('20000101000000Z'), time('20991231235959Z')),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(named, authority)),
  );
  const signature = der(0x03, [0], sign('sha256', content, privateKey));
  const pem = sequence(content, algorithm, signature)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${pem}\n-----END CERTIFICATE-----\n`,
  };
}
