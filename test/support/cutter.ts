import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** A way to a daemon on which connections break. */
export interface Cutter {
  readonly url: string;
  /** Cuts whatever is under way once this many more bytes have gone to the daemon; resolves then. */
  cutAfter(bytes: number): Promise<void>;
  /** Leads to another daemon from the next connection on. */
  lead(url: string): void;
  close(): Promise<void>;
}

/** Passes connections on to a daemon, byte for byte. */
export async function startCutter(url: string): Promise<Cutter> {
  let target = new URL(url);
  let left = Number.POSITIVE_INFINITY;
  let cut: () => void = () => undefined;
  const open = new Set<() => void>();
  const server = createServer((client) => {
    const daemon = connect(Number(target.port), target.hostname);
    const end = () => {
      client.destroy();
      daemon.destroy();
      open.delete(end);
    };
    open.add(end);
    for (const socket of [client, daemon]) socket.on('error', end).on('close', end);
    client.on('data', (chunk) => {
      left -= chunk.length;
      if (left <= 0) {
        left = Number.POSITIVE_INFINITY;
        end();
        cut();
      } else if (!daemon.write(chunk)) {
        client.pause();
        daemon.once('drain', () => client.resume());
      }
    });
    daemon.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    cutAfter: (bytes) =>
      new Promise((resolve) => {
        cut = resolve;
        left = bytes;
      }),
    lead: (next) => {
      target = new URL(next);
    },
    async close() {
      for (const end of open) end();
      server.close();
      await once(server, 'close');
    },
  };
}
