import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { untilToldToStop } from '../../src/cli/local/shutdown.ts';
import { reportListening, superviseWorkers } from '../../src/cli/local/workers.ts';
import { openLog } from '../../src/log.ts';

/**
 * A daemon of nothing but processes: two workers that answer with their pid, hang a moment on /slow, throw on /throw,
 * and cannot start at all with the argument "broken".
 */
const log = openLog({ logLevel: 'info' });
if (cluster.isPrimary) {
  await superviseWorkers(2, log, (lines) => process.stdout.write(`${lines.join('\n')}\n`));
} else if (process.argv[2] === 'broken') {
  process.exit(7);
} else {
  const server = createServer((request, response) => {
    if (request.url === '/throw') setImmediate(() => Promise.reject(new Error('thrown on purpose')));
    if (request.url === '/slow') {
      log.info('slow has begun');
      setTimeout(() => response.end('finished'), 500);
      return;
    }
    response.setHeader('connection', 'close').end(String(process.pid));
  });
  untilToldToStop(() => new Promise((resolve) => server.close(() => resolve())), log);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    reportListening([`port ${typeof address === 'object' ? address?.port : ''}`]);
  });
}
