import type { IncomingMessage } from 'node:http';
import type { Bearer } from '../auth/bearer.ts';
import { credentialOf } from '../auth/credential.ts';
import { demand, type Grant } from '../auth/grant.ts';
import { grantOfLink, type Links } from '../auth/link.ts';
import type { Tenants } from '../core/core.ts';
import { FsError } from '../errors.ts';
import type { Access } from './call.ts';
import { sameSecret } from './secret.ts';

/** Who a request comes from, and whether they may call a route. */
export interface Gate {
  /**
   * The grant of a request for a route of this access; null where the route asks for none.
   * @throws unauthenticated, forbidden, expired, unavailable
   */
  admit(req: IncomingMessage, access: Access): Promise<Grant | null>;
}

export interface GateParts {
  readonly bearer: Bearer;
  readonly links: Links;
  readonly tenants: Pick<Tenants, 'admit'>;
  /** What `/metrics` asks for; null lets loopback alone in. */
  readonly metricsToken: string | null;
}

export function openGate({ bearer, links, tenants, metricsToken }: GateParts): Gate {
  return {
    async admit(req, access) {
      if (access === 'public') return null;
      if (access === 'metrics') return admitScraper(req, metricsToken);
      const grant =
        access === 'signed' ? linkGrant(req, links) : await bearer.authenticate(credentialOf(req.headersDistinct));
      await tenants.admit(grant.tenant);
      if (access !== 'signed' && access !== 'credential') demand(grant, access);
      return grant;
    },
  };
}

/** The request target before any decoding, cut at the first `?`; the second part is null where there is none. */
export function splitTarget(req: IncomingMessage): readonly [path: string, search: string | null] {
  // Express rewrites `url` below a mount; `originalUrl` is not typed on a plain request, so routes hang on the root alone.
  const target = req.url ?? '/';
  const mark = target.indexOf('?');
  return mark < 0 ? [target, null] : [target.slice(0, mark), target.slice(mark + 1)];
}

function linkGrant(req: IncomingMessage, links: Links): Grant {
  const [path, search] = splitTarget(req);
  // The link was made for one text: no second parameter, no other spelling of this one, no other method.
  const token = /^token=([A-Za-z0-9._-]+)$/.exec(search ?? '')?.[1];
  if (token === undefined) {
    throw new FsError(
      'forbidden',
      'a signed link carries its token as its one query parameter; use it as it was given out',
    );
  }
  return grantOfLink(links.verify(req.method ?? '', path, token));
}

function admitScraper(req: IncomingMessage, token: string | null): null {
  if (token === null) {
    if (isLocal(req)) return null;
    throw new FsError('forbidden', 'metrics are given to this machine alone unless METRICS_TOKEN is set');
  }
  if (sameSecret(credentialOf(req.headersDistinct), token)) return null;
  throw new FsError('unauthenticated', 'metrics need the bearer token that METRICS_TOKEN sets');
}

/** True for a client on this machine itself: a proxy on this machine speaks for others, and says so by these headers. */
function isLocal(req: IncomingMessage): boolean {
  const address = req.socket.remoteAddress ?? '';
  const isLoopback = address === '::1' || /^(?:::ffff:)?127\./.test(address);
  return (
    isLoopback && ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].every((name) => req.headers[name] === undefined)
  );
}
