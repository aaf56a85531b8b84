import request from 'supertest';
import type { Core } from '../../../../src/core/core.ts';
import type { Dialect } from '../../../../src/http/dialect.ts';
import type { ReadinessParts } from '../../../../src/http/dialects/ops/readiness.ts';
import { opsDialect } from '../../../../src/http/dialects/ops/routes.ts';
import { type Metrics, openMetrics } from '../../../../src/http/metrics.ts';
import { openApiDocument } from '../../../../src/http/openapi.ts';
import { mountedRoutes } from '../../../../src/http/routes.ts';
import { type Frame, startFrame } from '../../frame.ts';

const ALL_WELL: ReadinessParts = {
  checks: { database: async () => {}, data_root: async () => {}, migrations: async () => {} },
  containment: 'proc',
  ownership: 'daemon and agents share one uid',
  warnings: async () => [],
};

let frame: Frame;
afterEach(() => frame.close());

async function start(
  ready: Partial<ReadinessParts> = {},
  metricsToken: string | null = null,
  metrics: Metrics = openMetrics(),
) {
  const ops: Dialect = opsDialect({ ready: { ...ALL_WELL, ...ready }, metrics, openapi: () => document(ops) });
  frame = await startFrame({ routes: [], dialects: [ops], options: { metricsToken } });
  return request(frame.url);
}

function document(ops: Dialect) {
  return openApiDocument(mountedRoutes([ops], {} as Core), { title: 'workspaced', version: '0' });
}

describe('ops.healthz and ops.readyz', () => {
  it('say that the daemon is alive and can serve', async () => {
    const daemon = await start();
    expect((await daemon.get('/healthz')).body).toEqual({ status: 'ok' });
    const ready = await daemon.get('/readyz');
    expect([ready.status, ready.body]).toEqual([
      200,
      {
        status: 'ready',
        checks: { database: 'ok', data_root: 'ok', migrations: 'ok' },
        containment: 'proc',
        ownership: 'daemon and agents share one uid',
        warnings: [],
      },
    ]);
  });

  it('answer 503 as a problem that names the check and leaks nothing of its cause', async () => {
    const daemon = await start({
      checks: { ...ALL_WELL.checks, database: () => Promise.reject(new Error('postgres://u:p@db')) },
    });
    const ready = await daemon.get('/readyz');
    expect([ready.status, ready.headers['content-type'], ready.body.code]).toEqual([
      503,
      'application/problem+json; charset=utf-8',
      'unavailable',
    ]);
    expect(ready.body.checks).toEqual({ database: 'failed', data_root: 'ok', migrations: 'ok' });
    expect(ready.body.detail).toBe('the daemon cannot serve yet: database');
    expect(JSON.stringify(ready.body)).not.toContain('postgres:');
    expect((await daemon.get('/healthz')).status).toBe(200);
  });

  it('examine once for many that ask', async () => {
    let asked = 0;
    const check = async () => {
      asked += 1;
    };
    const daemon = await start({ checks: { database: check } });
    await Promise.all(Array.from({ length: 10 }, () => daemon.get('/readyz')));
    expect(asked).toBe(1);
  });
});

describe('ops.metrics', () => {
  it('counts requests by route, also those that match none', async () => {
    const metrics = openMetrics();
    const daemon = await start({}, null, metrics);
    metrics.gauges(() => ({ stagedBytes: 7, watchers: 3 }));
    metrics.run('completed');
    metrics.copyIn(0.2, 1000);
    metrics.capture(0.1, 4);
    metrics.quotaRefused();
    metrics.swept('slot', 2);
    metrics.request({ route: 'a.b', method: 'GET', status: 200, seconds: 0.01, bytesIn: 5, bytesOut: 9 });
    const answer = await daemon.get('/metrics');
    expect(answer.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const line of [
      'workspaced_http_request_seconds_count{route="a.b",method="GET",status="200"} 1',
      'workspaced_http_received_bytes_total{route="a.b"} 5',
      'workspaced_http_sent_bytes_total{route="a.b"} 9',
      'workspaced_runs_total{status="completed"} 1',
      'workspaced_copy_in_bytes_total 1000',
      'workspaced_captured_files_total 4',
      'workspaced_quota_refusals_total 1',
      'workspaced_swept_total{kind="slot"} 2',
      'workspaced_staged_bytes 7',
      'workspaced_watched_directories 3',
    ]) {
      expect(answer.text).toContain(line);
    }
    expect(answer.text).toContain('nodejs_eventloop_lag_seconds');
  });

  it('without a token answers this machine alone, and no proxy on it', async () => {
    const daemon = await start();
    expect((await daemon.get('/metrics')).status).toBe(200);
    const proxied = await daemon.get('/metrics').set('X-Forwarded-For', '203.0.113.9');
    expect([proxied.status, proxied.body.code]).toEqual([403, 'forbidden']);
  });

  it('with a token asks for it, of this machine too', async () => {
    const daemon = await start({}, 'scrape-me');
    expect((await daemon.get('/metrics')).status).toBe(401);
    expect((await daemon.get('/metrics').set('Authorization', 'Bearer scrape-you')).status).toBe(401);
    expect((await daemon.get('/metrics').set('Authorization', 'Bearer scrape-me')).status).toBe(200);
  });
});

describe('ops.docs and ops.openapi', () => {
  it('serve the document and a page that loads nothing from elsewhere', async () => {
    const daemon = await start();
    const spec = await daemon.get('/openapi.json');
    expect(spec.body.openapi).toBe('3.1.0');
    expect(Object.keys(spec.body.paths)).toContain('/readyz');
    const page = await daemon.get('/docs');
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    const loaded = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => `/${path}`);
    expect(loaded.length).toBeGreaterThan(3);
    for (const path of loaded) expect([path, (await daemon.get(path)).status]).toEqual([path, 200]);
  });

  it('let the page run its own files and nothing else', async () => {
    const page = await (await start()).get('/docs');
    const policy = page.headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).not.toMatch(/https?:|unsafe-eval/);
    expect(page.text).not.toMatch(/<script>|onload=/);
  });

  it('give out no other file of the package', async () => {
    const daemon = await start();
    for (const name of ['package.json', 'index.html', '..%2fpackage.json', 'swagger-ui.css/../package.json']) {
      expect([name, (await daemon.get(`/docs/assets/${name}`)).status]).toEqual([name, 404]);
    }
  });
});
