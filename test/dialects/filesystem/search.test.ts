import { truncate, writeFile } from 'node:fs/promises';
import { startTestDaemon } from '../../support/daemon.ts';
import { bringAbout, makeWorld, playScenarios, type Scenario } from '../../support/scenario.ts';
import { until } from '../../support/wait.ts';

const SEARCH = 'POST /agent/a1/filesystem/operations/search';
/** As many as one tenant may have at once; see docs/search.md. */
const AT_ONCE = 32;
const GIVEN = [
  'a1/src/app.ts: // begin\nconst sales = 1; // TODO: count them\n// end\n',
  'a1/src/lib/sales.ts: export {};\n',
  'a1/dist/app.js: TODO',
  'a1/.gitignore: dist/\n',
  'a1/notes.md: todo: nothing\n',
];

const paths = (...expected: readonly string[]) => ({
  results: expected.map((path) => expect.objectContaining({ path })),
  total: expected.length,
  truncated: false,
});

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'filesystem.search finds lines with their numbers and context',
    given: GIVEN,
    call: SEARCH,
    json: { query: 'TODO', type: 'content', context_lines: 1 },
    status: 200,
    golden: 'search-content',
  },
  {
    name: 'filesystem.search finds names by a glob, with the other name of its field',
    given: GIVEN,
    call: SEARCH,
    json: { pattern: '*.ts', path: '/src' },
    status: 200,
    golden: 'search-names',
  },
  {
    name: 'filesystem.search takes both spellings of every field',
    given: GIVEN,
    call: SEARCH,
    json: {
      query: 'TODO',
      contentSearch: true,
      caseSensitive: false,
      filePattern: '*.{ts,md,js}',
      includeIgnored: true,
    },
    status: 200,
    body: paths('/dist/app.js', '/notes.md', '/src/app.ts'),
  },
  {
    name: 'filesystem.search looks at names and content with type both',
    given: GIVEN,
    call: SEARCH,
    json: { query: 'sales*', type: 'both' },
    status: 200,
    body: paths('/src/lib/sales.ts'),
    after: async ({ owner }) => {
      const { body } = await owner.does(SEARCH, { json: { query: 'sales', type: 'both' } });
      expect(body).toEqual(paths('/src/app.ts'));
    },
  },
  {
    name: 'filesystem.search takes a text to be a regular expression only where it is told to, and then of content',
    given: GIVEN,
    call: SEARCH,
    json: { query: '^const \\w+ = \\d', regex: true },
    status: 200,
    body: paths('/src/app.ts'),
    after: async ({ owner }) => {
      const { body } = await owner.does(SEARCH, { json: { query: '^const', contentSearch: true } });
      expect(body).toEqual(paths());
    },
  },
  {
    name: 'filesystem.search stops at max_results and says so, not where there are just as many',
    given: GIVEN,
    call: SEARCH,
    json: { query: '*.ts', max_results: 1 },
    status: 200,
    body: { results: [expect.anything()], total: 1, truncated: true },
    after: async ({ owner }) => {
      const { body } = await owner.does(SEARCH, { json: { query: '*.ts', maxResults: 2 } });
      expect(body).toEqual(paths('/src/app.ts', '/src/lib/sales.ts'));
    },
  },
  {
    name: 'filesystem.search is the same under /v1',
    given: GIVEN,
    call: SEARCH.replace('/agent', '/v1/agent'),
    json: { query: 'notes.*' },
    status: 200,
    body: paths('/notes.md'),
  },
  {
    name: 'filesystem.search needs no right to write',
    given: GIVEN,
    as: { scope: 'workspace:read', agent: 'a1' },
    call: SEARCH,
    json: { query: 'notes.*' },
    status: 200,
  },
  {
    name: 'filesystem.search of a workspace that never was is 404',
    call: SEARCH,
    json: { query: 'x' },
    status: 404,
    code: 'not_found',
  },
  {
    name: 'filesystem.search of a directory that is not there is 404',
    given: GIVEN,
    call: SEARCH,
    json: { query: 'x', path: 'nowhere' },
    status: 404,
    code: 'not_found',
  },
  {
    name: 'filesystem.search below a link is 403',
    given: ['a1/link => ..'],
    call: SEARCH,
    json: { query: 'x', path: '/link' },
    status: 403,
    code: 'symlink',
  },
  ...(
    [
      [{}, 'nothing to look for'],
      [{ query: '' }, 'an empty text'],
      [{ query: 'a', pattern: 'b' }, 'two texts'],
      [{ query: '(', regex: true }, 'an expression that is none'],
      [{ query: '(?<=a)b', regex: true }, 'look-around'],
      [{ query: 'x', max_results: 0 }, 'no results'],
      [{ query: 'x'.repeat(1001) }, 'a text of many letters'],
      [{ query: 'x', path: '../b' }, 'a path that leaves the tree'],
      [{ query: '../*' }, 'a glob that leaves the tree'],
    ] as const
  ).map(
    ([json, what]): Scenario => ({
      name: `filesystem.search refuses ${what}`,
      given: ['a1/x.txt: x'],
      call: SEARCH,
      json,
      status: 400,
    }),
  ),
];

playScenarios('POST operations/search', import.meta.url, SCENARIOS);

describe('clients that go away', () => {
  it('filesystem.search gives back what they had taken, long before their searches would have ended', async () => {
    const daemon = await startTestDaemon();
    try {
      const world = makeWorld(daemon);
      await bringAbout(world, 'a1/hole: text');
      await bringAbout(world, 'a1/small: text');
      // Text, and then holes that take seconds to read.
      await writeFile(`${world.disk('a1')}/hole`, 'text\n'.repeat(2000));
      await truncate(`${world.disk('a1')}/hole`, 2 ** 40);
      const ask = (path: string, signal: AbortSignal) =>
        fetch(daemon.url + SEARCH.replace('POST ', ''), {
          method: 'POST',
          headers: {
            authorization: `Bearer ${daemon.token({ tenant: world.tenant })}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify({ query: 'nowhere', type: 'content', path }),
          signal,
        }).then(({ status }) => status);
      const all = (path: string, signal: AbortSignal) =>
        Promise.allSettled(Array.from({ length: AT_ONCE }, () => ask(path, signal)));

      const clients = new AbortController();
      const gone = all('hole', clients.signal);
      const stays = new AbortController().signal;
      await until(async () => (await ask('small', stays)) === 429, 'every search of the tenant being taken');
      clients.abort();
      expect((await gone).map(({ status }) => status)).toEqual(Array(AT_ONCE).fill('rejected'));
      const areFree = async () =>
        (await all('small', stays)).every((each) => each.status === 'fulfilled' && each.value === 200);
      await until(areFree, 'every search being free again', 15_000);
    } finally {
      await daemon.close();
    }
  });
});
