import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { isPublicAddress } from '../../src/web/public-address.ts';
import type { WebOptions } from '../../src/web/web.ts';
import type { Certificate } from './certificate.ts';

/** What a server of the test's internet does, by path. */
export type Pages = Readonly<Record<string, (req: IncomingMessage, res: ServerResponse) => void>>;

/** A server on loopback that stands for one of the internet: its own port of 127.0.0.1 is allowed, and nothing else is. */
export interface Internet {
  readonly port: number;
  /** `http://files.example:PORT/path`; every name that ends in `.example` leads here. */
  url(path: string, host?: string): string;
  /** What was asked of it so far. */
  readonly asked: readonly string[];
  /** For `openWeb`. */
  readonly options: WebOptions;
  close(): Promise<void>;
}

export async function startInternet(pages: Pages, certificate?: Certificate): Promise<Internet> {
  const asked: string[] = [];
  const answer: RequestListener = (req, res) => {
    asked.push(req.url ?? '');
    const page = pages[(req.url ?? '').split('?', 1)[0] ?? ''];
    if (page === undefined) res.writeHead(404).end('no such page');
    else page(req, res);
  };
  const server: Server = certificate === undefined ? createServer(answer) : createTlsServer(certificate, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const scheme = certificate === undefined ? 'http' : 'https';
  return {
    port,
    url: (path, host = 'files.example') => `${scheme}://${host}:${port}${path}`,
    asked,
    options: {
      isAllowed: (address, asks) => (address === '127.0.0.1' && asks === port) || isPublicAddress(address),
      resolve: async (host) => (host.endsWith('.example') ? ['127.0.0.1'] : []),
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A page with this text. */
export function page(text: string, headers: Readonly<Record<string, string>> = {}) {
  return (_req: IncomingMessage, res: ServerResponse) => void res.writeHead(200, headers).end(text);
}

/** A page that sends its visitors on. */
export function redirect(location: string, status = 302) {
  return (_req: IncomingMessage, res: ServerResponse) => void res.writeHead(status, { location }).end();
}
