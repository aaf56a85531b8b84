import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { z } from 'zod';
import { FsError } from '../../../errors.ts';
import type { Reply, Route } from '../../call.ts';
import type { Dialect } from '../../dialect.ts';
import { problemOf } from '../../errors.ts';
import type { Metrics } from '../../metrics.ts';
import { DOCS_ASSETS, DOCS_HEADERS, DOCS_PAGE, DOCS_SCRIPT } from './docs-page.ts';
import { openReadiness, type ReadinessParts, type Report } from './readiness.ts';

export interface OpsParts {
  readonly ready: ReadinessParts;
  readonly metrics: Pick<Metrics, 'text'>;
  /** The document of every dialect, this one included; asked for once. */
  readonly openapi: () => unknown;
}

/** Health, metrics and documentation of the daemon itself. Documented in operations.md. */
export function opsDialect({ ready, metrics, openapi }: OpsParts): Dialect {
  const readiness = openReadiness(ready);
  let document: unknown = null;
  return {
    name: 'ops',
    mounts: [''],
    assets: docsAssets(),
    routes: () => [
      healthRoute,
      { ...readyRoute, handle: async () => readyReply(await readiness.report()) },
      { ...metricsRoute, handle: async () => ({ status: 200, ...(await metrics.text()) }) },
      {
        ...openApiRoute,
        handle: async () => {
          document ??= openapi();
          return { status: 200, json: document, headers: { 'cache-control': 'no-cache' } };
        },
      },
      page('/docs', 'ops.docs', 'These calls, to browse and try', DOCS_PAGE, 'text/html; charset=utf-8'),
      page(
        '/docs/start.js',
        'ops.docsScript',
        'What starts the docs page',
        DOCS_SCRIPT,
        'text/javascript; charset=utf-8',
      ),
    ],
  };
}

const healthRoute: Route = {
  method: 'GET',
  path: '/healthz',
  name: 'ops.healthz',
  summary: 'The daemon is alive',
  access: 'public',
  replies: { 200: { description: 'It is', schema: z.object({ status: z.literal('ok') }) } },
  handle: async () => ({ status: 200, json: { status: 'ok' } }),
};

const ReadySchema = z.object({
  status: z.enum(['ready', 'not_ready']),
  checks: z.record(z.string(), z.string()),
  containment: z.string(),
  ownership: z.string(),
  warnings: z.array(z.string()),
});

const readyRoute: Omit<Route, 'handle'> = {
  method: 'GET',
  path: '/readyz',
  name: 'ops.readyz',
  summary: 'The daemon can serve: its database, data root and migrations',
  access: 'public',
  replies: { 200: { description: 'It can', schema: ReadySchema }, 503: { description: 'It cannot, and why' } },
};

const metricsRoute: Omit<Route, 'handle'> = {
  method: 'GET',
  path: '/metrics',
  name: 'ops.metrics',
  summary: 'Counts for Prometheus',
  access: 'metrics',
  replies: { 200: { description: 'The Prometheus text format' } },
};

const openApiRoute: Omit<Route, 'handle'> = {
  method: 'GET',
  path: '/openapi.json',
  name: 'ops.openapi',
  summary: 'Every call of every API, as OpenAPI 3.1',
  access: 'public',
  replies: { 200: { description: 'The document' } },
};

function page(path: string, name: string, summary: string, text: string, contentType: string): Route {
  return {
    method: 'GET',
    path,
    name,
    summary,
    access: 'public',
    replies: { 200: { description: contentType } },
    handle: async () => ({ status: 200, text, contentType, headers: DOCS_HEADERS }),
  };
}

function readyReply(report: Report): Reply {
  const { ready, checks, containment, ownership, warnings } = report;
  const body = { status: ready ? 'ready' : 'not_ready', checks, containment, ownership, warnings };
  if (ready) return { status: 200, json: body };
  const failed = Object.keys(checks).filter((name) => checks[name] !== 'ok');
  const error = new FsError('unavailable', `the daemon cannot serve yet: ${failed.join(', ')}`);
  const headers = { 'content-type': 'application/problem+json; charset=utf-8' };
  return { status: 503, json: { ...problemOf(error, 503), checks, containment, ownership, warnings }, headers };
}

function docsAssets(): Dialect['assets'] & object {
  const directory = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  return DOCS_ASSETS.map((name) => ({ path: `/docs/assets/${name}`, directory, name }));
}
