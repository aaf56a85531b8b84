import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** One answered request. */
export interface RequestSample {
  /** The route's name, or `none` where no route matched: paths would make a series each. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What the daemon counts about itself. The core is given these as plain callbacks. */
export interface Metrics {
  request(sample: RequestSample): void;
  /** A run that reached this status. */
  run(status: 'running' | 'completed' | 'failed' | 'cancelled'): void;
  copyIn(seconds: number, bytes: number): void;
  capture(seconds: number, files: number): void;
  quotaRefused(): void;
  /** Something the sweeper took away: `slot`, `staging`, `object`, `agent`, … */
  swept(kind: string, count: number): void;
  /** Attempts to tell webhooks that came to this: `received`, `failed`, `lost`. */
  announced(outcome: string, count: number): void;
  /** Read when metrics are asked for: bytes in staging, and directories watched. */
  gauges(read: () => { readonly stagedBytes: number; readonly watchers: number }): void;
  /** The Prometheus text of all of it. */
  text(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600];
const WORK_SECONDS = [0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800];

/** A registry of its own, so that two daemons in one process do not share counts. */
export function openMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return { ...requestMetrics(registry), ...workMetrics(registry), ...gaugeMetrics(registry) };
}

function requestMetrics(registry: Registry): Pick<Metrics, 'request'> {
  const registers = [registry];
  const duration = new Histogram({
    name: 'workspaced_http_request_seconds',
    help: 'Time from the request line to the end of the answer',
    labelNames: ['route', 'method', 'status'],
    buckets: REQUEST_SECONDS,
    registers,
  });
  const bytesIn = new Counter({
    name: 'workspaced_http_received_bytes_total',
    help: 'Bytes of request bodies',
    labelNames: ['route'],
    registers,
  });
  const bytesOut = new Counter({
    name: 'workspaced_http_sent_bytes_total',
    help: 'Bytes of answers, with their headers',
    labelNames: ['route'],
    registers,
  });
  return {
    request({ route, method, status, seconds, ...bytes }) {
      duration.observe({ route, method, status: String(status) }, seconds);
      bytesIn.inc({ route }, bytes.bytesIn);
      bytesOut.inc({ route }, bytes.bytesOut);
    },
  };
}

type WorkMetrics = Pick<Metrics, 'run' | 'copyIn' | 'capture' | 'quotaRefused' | 'swept' | 'announced'>;

function workMetrics(registry: Registry): WorkMetrics {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const timer = (name: string, help: string) => new Histogram({ name, help, buckets: WORK_SECONDS, registers });
  const runs = counter('workspaced_runs_total', 'Runs that reached a status', ['status']);
  const copySeconds = timer('workspaced_copy_in_seconds', 'Time to copy the files of a run in');
  const copyBytes = counter('workspaced_copy_in_bytes_total', 'Bytes copied in for runs');
  const captureSeconds = timer('workspaced_capture_seconds', 'Time to capture the outputs of a run');
  const captured = counter('workspaced_captured_files_total', 'Files captured from runs');
  const refused = counter('workspaced_quota_refusals_total', 'Writes refused for lack of room');
  const swept = counter('workspaced_swept_total', 'Things the sweeper took away', ['kind']);
  const announced = counter('workspaced_webhook_events_total', 'Attempts to tell webhooks, by outcome', ['outcome']);
  return {
    run: (status) => runs.inc({ status }),
    copyIn(seconds, bytes) {
      copySeconds.observe(seconds);
      copyBytes.inc(bytes);
    },
    capture(seconds, files) {
      captureSeconds.observe(seconds);
      captured.inc(files);
    },
    quotaRefused: () => refused.inc(),
    swept: (kind, count) => swept.inc({ kind }, count),
    announced: (outcome, count) => announced.inc({ outcome }, count),
  };
}

function gaugeMetrics(registry: Registry): Pick<Metrics, 'gauges' | 'text'> {
  const registers = [registry];
  const staged = new Gauge({
    name: 'workspaced_staged_bytes',
    help: 'Bytes received or copied and in no tree yet',
    registers,
  });
  const watchers = new Gauge({
    name: 'workspaced_watched_directories',
    help: 'Directories watched for changes',
    registers,
  });
  let read: Parameters<Metrics['gauges']>[0] = () => ({ stagedBytes: 0, watchers: 0 });
  return {
    gauges: (reader) => {
      read = reader;
    },
    async text() {
      const now = read();
      staged.set(now.stagedBytes);
      watchers.set(now.watchers);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
