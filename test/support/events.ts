import { type IncomingMessage, request } from 'node:http';

/** A change as the stream tells it. */
export interface EventBody {
  readonly id: string;
  readonly type: string;
  readonly path: string;
  readonly from?: string;
  readonly is_dir: boolean;
  readonly size?: number;
  readonly origin: string;
  readonly at: string;
}

/** Somebody who listens to a stream of server-sent events. */
export interface Listener {
  readonly response: IncomingMessage;
  /** What was told so far. */
  readonly events: EventBody[];
  /** The id that an EventSource would send when it comes back. */
  lastId(): string;
  /** Lines that begin with a colon. */
  comments(): number;
  /** True once the stream has ended, however. */
  isOver(): boolean;
  close(): void;
}

/** Begins to listen; resolves when the answer has begun and told its first id. */
export function listenTo(url: string, path: string, headers: Readonly<Record<string, string>>): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}${path}`, { headers, agent: false }, (response) => {
      const state = { events: [] as EventBody[], lastId: '', comments: 0, isOver: false, rest: '' };
      const listener: Listener = {
        response,
        events: state.events,
        lastId: () => state.lastId,
        comments: () => state.comments,
        isOver: () => state.isOver,
        close: () => asked.destroy(),
      };
      response.on('error', () => undefined);
      response.on('close', () => {
        state.isOver = true;
        resolve(listener);
      });
      response.setEncoding('utf8').on('data', (text: string) => {
        const blocks = (state.rest + text).split('\n\n');
        state.rest = blocks.pop() ?? '';
        for (const block of blocks) take(block, state);
        if (state.lastId !== '') resolve(listener);
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** As the specification of EventSource reads a block. */
function take(block: string, state: { events: EventBody[]; lastId: string; comments: number }): void {
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (line.startsWith(':')) state.comments += 1;
    else if (field === 'id') state.lastId = value;
    else if (field === 'data') data.push(value);
  }
  if (data.length > 0) state.events.push(JSON.parse(data.join('\n')) as EventBody);
}

/** `created /a/`, `moved /a to /b`: a change in a line, a directory with a slash at its end. */
export function lineOf({ type, path, from, is_dir }: EventBody): string {
  const slash = is_dir && !path.endsWith('/') ? '/' : '';
  return from === undefined ? `${type} ${path}${slash}` : `${type} ${from}${slash} to ${path}${slash}`;
}
