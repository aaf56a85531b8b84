import { isIP, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import { FsError } from '../errors.ts';
import type { Resolve } from './resolve.ts';

/** Decides where a connection may go. */
export type IsAllowed = (address: string, port: number) => boolean;

interface DialOptions {
  readonly resolve: Resolve;
  readonly isAllowed: IsAllowed;
  readonly connectMs: number;
  /** Certificates to trust instead of those Node brings, as PEM. */
  readonly ca: string | null;
  readonly signal: AbortSignal;
}

// Enough for a host that answers at one of them; the others would only make a refusal slow.
const MAX_ADDRESSES = 4;
// Names that mean this machine wherever they are asked for.
const LOCAL_NAME = /^(.*\.)?localhost\.?$/i;

/**
 * Opens the connections of an undici client. A name is looked up once, all its addresses are judged, and the connection goes to
 * the very address that was judged: there is no second look-up that could be told something else. An address that stands in the
 * URL itself is judged alike.
 */
export function dialerOf(options: DialOptions): buildConnector.connector {
  const dial = buildConnector({
    allowH2: false,
    maxCachedSessions: 0,
    timeout: options.connectMs,
    ...(options.ca === null ? {} : { ca: options.ca }),
  });
  return (wanted, callback) => {
    connect(dial, wanted, options).then(
      (socket) => callback(null, socket),
      (error: Error) => callback(error, null),
    );
  };
}

/**
 * As far as the text of a URL tells where it leads: an address that stands in it is judged, a name is not looked up.
 * @throws forbidden
 */
export function demandPublic(url: URL, isAllowed: IsAllowed): void {
  // The URL parser has made plain addresses of every odd way to write one, and IPv6 stands in brackets.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const address = LOCAL_NAME.test(host) ? '127.0.0.1' : host;
  if (isIP(address) !== 0 && !isAllowed(address, portOf(url))) throw notPublic(host);
}

type Dial = buildConnector.connector;
type Wanted = buildConnector.Options;

async function connect(dial: Dial, wanted: Wanted, options: DialOptions): Promise<Socket> {
  const port = portOf(wanted);
  const failures: unknown[] = [];
  for (const address of await allowedAddresses(wanted.hostname, port, options)) {
    options.signal.throwIfAborted();
    try {
      return await dialed(dial, { ...wanted, hostname: address });
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

function portOf({ port, protocol }: { readonly port?: string; readonly protocol: string }): number {
  return Number(port || (protocol === 'https:' ? 443 : 80));
}

/** At least one, those of IPv4 first. @throws forbidden unless every address of the host is allowed */
async function allowedAddresses(host: string, port: number, options: DialOptions): Promise<readonly string[]> {
  const addresses = isIP(host) === 0 ? await options.resolve(host, options.signal) : [host];
  if (addresses.length === 0 || !addresses.every((address) => options.isAllowed(address, port))) {
    throw notPublic(host);
  }
  return [...addresses].sort((one, other) => isIP(one) - isIP(other)).slice(0, MAX_ADDRESSES);
}

/** One sentence, whether there is no such name, or what it leads to, or somebody listens there: inside is nobody's business. */
function notPublic(host: string): FsError {
  return new FsError('forbidden', `${host} leads to no public address; only the public internet is reached from here`);
}

function dialed(dial: Dial, wanted: Wanted): Promise<Socket> {
  return new Promise((resolve, reject) => {
    dial(wanted, (error, socket) => (error === null ? resolve(socket) : reject(error)));
  });
}
