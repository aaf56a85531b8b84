import { playScenarios, type Scenario } from '../support/scenario.ts';

const FILES = '/agent/a1/filesystem/files';
const PAIR = { source: 'new.txt', destination: 'old.txt', overwrite: true };

function conditional(verb: 'copy' | 'move', keeps: boolean): readonly Scenario[] {
  const call = `POST /agent/a1/filesystem/operations/${verb}`;
  return [
    {
      name: `filesystem.${verb} replaces only the destination that If-Match names: 412`,
      given: ['a1/new.txt: new', 'a1/old.txt: old'],
      call,
      json: PAIR,
      headers: { 'if-match': '"another"' },
      status: 412,
      code: 'precondition_failed',
      leaves: { a1: ['new.txt: new', 'old.txt: old'] },
      after: async ({ owner }) => {
        const { headers } = await owner.does(`GET ${FILES}/old.txt?raw=true`);
        const seen = { 'if-match': String(headers.etag) };
        expect((await owner.does(call, { json: { ...PAIR, overwrite: false }, headers: seen })).status).toBe(409);
        expect((await owner.does(call, { json: PAIR, headers: seen })).status).toBe(200);
        expect(await owner.reads('a1', 'old.txt')).toBe('new');
        expect((await owner.does(`GET ${FILES}/new.txt?raw=true`)).status).toBe(keeps ? 200 : 404);
      },
    },
    {
      name: `filesystem.${verb} with If-None-Match replaces nothing, overwrite or not`,
      given: ['a1/new.txt: new', 'a1/old.txt: old'],
      call,
      json: PAIR,
      headers: { 'if-none-match': '*' },
      status: 412,
      code: 'precondition_failed',
      leaves: { a1: ['new.txt: new', 'old.txt: old'] },
    },
    {
      name: `filesystem.${verb} of several takes no condition: 400, and none is done`,
      given: ['a1/new.txt: new'],
      call,
      json: { operations: [{ source: 'new.txt', destination: 'there.txt' }] },
      headers: { 'if-none-match': '*' },
      status: 400,
      code: 'invalid_request',
      leaves: { a1: ['new.txt: new'] },
    },
  ];
}

const STORE: Scenario = {
  name: 'store.move holds If-Match and If-None-Match against the destination: 412',
  given: ['store/new.txt: new', 'store/old.txt: old'],
  call: 'POST /api/v1/files/move',
  json: { src_path: 'new.txt', dst_path: 'old.txt', overwrite: true },
  headers: { 'if-none-match': '*' },
  status: 412,
  code: 'precondition_failed',
  leaves: { store: ['new.txt: new', 'old.txt: old'] },
  after: async ({ owner }) => {
    const json = { src_path: 'new.txt', dst_path: 'old.txt', overwrite: true };
    const { headers } = await owner.does('GET /api/v1/files/download?path=old.txt');
    const move = (etag: string) => owner.does('POST /api/v1/files/move', { json, headers: { 'if-match': etag } });
    expect((await move('"another"')).status).toBe(412);
    expect((await move(String(headers.etag))).status).toBe(200);
    expect((await owner.does('GET /api/v1/files/download?path=old.txt')).text).toBe('new');
  },
};

playScenarios('conditional copies and moves', import.meta.url, [
  ...conditional('copy', true),
  ...conditional('move', false),
  STORE,
]);
