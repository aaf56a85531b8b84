import { writeFile } from 'node:fs/promises';
import { playScenarios, type Scenario } from '../../support/scenario.ts';

const SEARCH = 'POST /api/v1/files/search';
const GIVEN = ['store/datasets/sales.csv: region,amount\nnorth,12\nsouth,7\n', 'store/notes.txt: the north'];

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'store.search finds content, with paths as this API writes them',
    given: GIVEN,
    call: SEARCH,
    json: { query: 'north', type: 'content' },
    status: 200,
    golden: 'search-content',
  },
  {
    name: 'store.search finds names, directories too',
    given: GIVEN,
    call: SEARCH,
    json: { pattern: '{datasets,*.csv}' },
    status: 200,
    golden: 'search-names',
  },
  {
    name: 'store.search gives the bytes of a path that is not UTF-8',
    given: GIVEN,
    before: async ({ disk }) => {
      await writeFile(Buffer.concat([Buffer.from(`${disk('store')}/`), Buffer.from([0xff, 0x61])]), 'west');
      return undefined;
    },
    call: SEARCH,
    json: { query: 'west', type: 'content' },
    status: 200,
    body: {
      results: [
        {
          path: '\ufffda',
          path_b64: Buffer.from([0xff, 0x61]).toString('base64'),
          type: 'file',
          size: 4,
          matches: ['west'],
          lines: [{ line: 1, text: 'west', before: [], after: [] }],
        },
      ],
      total: 1,
      truncated: false,
    },
  },
  {
    name: 'store.search of a directory that is not there is 404',
    given: GIVEN,
    call: SEARCH,
    json: { query: 'x', path: 'nowhere' },
    status: 404,
    code: 'not_found',
  },
  {
    name: 'store.search refuses an expression that is none',
    given: GIVEN,
    call: SEARCH,
    json: { query: '[', regex: true },
    status: 400,
    code: 'invalid_request',
  },
  {
    name: 'store.search is not for a credential without store:read',
    given: GIVEN,
    as: { scope: 'workspace:read' },
    call: SEARCH,
    json: { query: 'x' },
    status: 403,
    code: 'forbidden',
  },
];

playScenarios('POST /api/v1/files/search', import.meta.url, SCENARIOS);
