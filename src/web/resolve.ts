import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { FsError } from '../errors.ts';

/** The addresses of a host name; none where it has none. @throws unavailable where nobody could tell */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

const TIMEOUT_MS = 5000;
const TRIES = 2;
const HAS_NONE: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME', 'ENONAME']);

/**
 * Asks the DNS alone, never `/etc/hosts`: names that mean something only here are none. No thread waits for the answer either,
 * so a server of names that takes its time keeps no file of anyone waiting.
 * @param servers whom to ask instead of those the machine is set up with
 */
export async function resolveByDns(
  host: string,
  signal: AbortSignal,
  servers: readonly string[] | null = null,
): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: TRIES });
  if (servers !== null) resolver.setServers(servers);
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length === 0 && answers.some(isUnknown)) {
      throw new FsError('unavailable', `the address of ${host} could not be looked up just now; try again`);
    }
    return addresses.filter((address) => isIP(address) !== 0);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** As `resolveByDns`, and `localhost`, which the DNS does not know. */
export const resolveInside: Resolve = async (host, signal) =>
  host.toLowerCase() === 'localhost' ? ['127.0.0.1', '::1'] : resolveByDns(host, signal);

function isUnknown(answer: PromiseSettledResult<readonly string[]>): boolean {
  return answer.status === 'rejected' && !HAS_NONE.has(answer.reason?.code);
}
