import { Worker } from 'node:worker_threads';
import { until } from './wait.ts';

const BODY = `
  const { parentPort, workerData: [source, text] } = require('node:worker_threads');
  parentPort.postMessage('began');
  new RegExp(source).test(text);
  parentPort.postMessage('ended');
`;
const LONG_MS = 1500;

/** Shows that the regular expressions of the language are still at it long after ours have answered. */
export async function expectStuck(source: string, text: string): Promise<void> {
  const thread = new Worker(BODY, { eval: true, workerData: [source, text], execArgv: [] });
  const said: string[] = [];
  thread.on('message', (word: string) => said.push(word));
  try {
    await until(() => said.includes('began'), 'the thread to begin', 15_000);
    await expect(until(() => said.includes('ended'), 'the end', LONG_MS)).rejects.toThrow('did not come true');
  } finally {
    await thread.terminate();
  }
}
