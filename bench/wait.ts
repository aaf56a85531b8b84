import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const TRIES = 100;

/** Waits until something accepts connections on this port of the loopback interface, for 5 s at most. */
export async function connectable(port: number): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    if (await accepts(port)) return;
    await setTimeout(50);
  }
  throw new Error(`nothing accepts connections on port ${port}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
