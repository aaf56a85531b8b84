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

type Dial = buildConnector.connector;
type Wanted = buildConnector.Options;

async function connect(dial: Dial, wanted: Wanted, options: DialOptions): Promise<Socket> {
  const port = Number(wanted.port || (wanted.protocol === 'https:' ? 443 : 80));
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

/** At least one, those of IPv4 first. @throws forbidden unless every address of the host is allowed */
async function allowedAddresses(host: string, port: number, options: DialOptions): Promise<readonly string[]> {
  const addresses = isIP(host) === 0 ? await options.resolve(host, options.signal) : [host];
  if (addresses.length === 0 || !addresses.every((address) => options.isAllowed(address, port))) {
    // One sentence, whether there is no such name, or what it leads to, or somebody listens there: inside is nobody's business.
    throw new FsError('forbidden', `${host} leads to no public address; only files of the public internet are fetched`);
  }
  return [...addresses].sort((one, other) => isIP(one) - isIP(other)).slice(0, MAX_ADDRESSES);
}

function dialed(dial: Dial, wanted: Wanted): Promise<Socket> {
  return new Promise((resolve, reject) => {
    dial(wanted, (error, socket) => (error === null ? resolve(socket) : reject(error)));
  });
}
