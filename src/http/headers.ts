import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/** A step between a request and its answer, of plain Node types. */
export type Step = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** Headers that keep what is served from acting in a browser. Files and the docs page set a policy of their own. */
export function securityHeaders(): Step {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    // TLS ends in front of this daemon: who ends it knows for how long it will.
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
  });
}

const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const EXPOSED =
  'ETag, Content-Range, Range, Retry-After, Location, Content-Disposition, X-Request-Id, RateLimit, RateLimit-Policy, Sunset, ' +
  'Idempotent-Replayed, Tus-Resumable, Tus-Version, Tus-Extension, Tus-Checksum-Algorithm, Upload-Offset, ' +
  'Upload-Length, Upload-Metadata, Upload-Expires, Upload-Result';
const PREFLIGHT_SECONDS = 600;

/**
 * Lets browsers of exactly these origins read answers; with none listed it does nothing. No cookies are involved
 * anywhere, so credentials are not allowed.
 */
export function crossOrigin(origins: readonly string[]): Step {
  const listed = new Set(origins);
  return (req, res, next) => {
    if (listed.size === 0) return next();
    res.appendHeader('vary', 'Origin');
    const { origin } = req.headers;
    if (origin === undefined || !listed.has(origin)) return next();
    res.setHeader('access-control-allow-origin', origin);
    res.setHeader('access-control-expose-headers', EXPOSED);
    res.setHeader('cross-origin-resource-policy', 'cross-origin');
    if (req.method !== 'OPTIONS' || req.headers['access-control-request-method'] === undefined) return next();
    res.setHeader('access-control-allow-methods', METHODS);
    const asked = req.headers['access-control-request-headers'];
    if (asked !== undefined) res.setHeader('access-control-allow-headers', asked);
    res.setHeader('access-control-max-age', PREFLIGHT_SECONDS);
    res.statusCode = 204;
    res.end();
  };
}
