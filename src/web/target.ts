import { FsError } from '../errors.ts';

const MAX_CHARACTERS = 8192;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };
// Below it live mail, shells and the like, and some of them take an HTTP request for theirs.
const FIRST_FREE_PORT = 1024;

/** The URL of a file that may be asked for, as far as the text alone tells. @throws invalid_request */
export function parseTarget(text: string, base?: URL): URL {
  const url = text.length <= MAX_CHARACTERS && URL.canParse(text, base?.href) ? new URL(text, base?.href) : null;
  const byDefault = url === null ? undefined : DEFAULT_PORTS[url.protocol];
  if (url === null || byDefault === undefined) {
    throw new FsError('invalid_request', 'the url is not one of http:// or https://; nothing else is called');
  }
  if (url.username !== '' || url.password !== '') {
    throw new FsError('invalid_request', 'the url carries a user name or password; none is ever sent');
  }
  const port = url.port === '' ? byDefault : Number(url.port);
  if (port < FIRST_FREE_PORT && port !== 80 && port !== 443) {
    throw new FsError(
      'invalid_request',
      `port ${port} is not one of the web: 80, 443, or ${FIRST_FREE_PORT} and above`,
    );
  }
  url.hash = '';
  return url;
}

/** Where a redirect leads. @throws invalid_request for nowhere, or from https to http */
export function redirectTarget(from: URL, location: string | undefined): URL {
  if (location === undefined) throw new FsError('invalid_request', `${from.host} redirects, but does not say where to`);
  const url = parseTarget(location, from);
  if (from.protocol === 'https:' && url.protocol === 'http:') {
    throw new FsError(
      'invalid_request',
      `${from.host} redirects from https to http, where anyone on the way can change it`,
    );
  }
  return url;
}

/** The URL of a receiver of messages: as `parseTarget`, and https unless plain http may do. @throws invalid_request */
export function parseMessageTarget(text: string, mayBePlain: boolean): URL {
  const url = parseTarget(text);
  if (url.protocol === 'https:' || mayBePlain) return url;
  throw new FsError('invalid_request', 'the url is not one of https://, and what is sent may not be read on the way');
}
