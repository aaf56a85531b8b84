import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Book, type Note, TENANT } from './book.ts';

/** The STORE_MAX_FILE_BYTES that the workload is made for. */
export const MAX_STORE_BYTES = 6 << 20;
const BIG = Buffer.alloc(MAX_STORE_BYTES, 'big ');
const [U1, U2] = ['u1', 'u2'];

/** The tree of a workspace or the store, as a process beside the daemon sees it. */
export function treeOf(dataDir: string, tree: 'store' | { readonly agent: string }): string {
  const home = tree === 'store' ? ['store'] : ['agents', tree.agent];
  return join(dataDir, 'tenants', TENANT, ...home, 'tree');
}

/** Something of everything: what succeeds, what is refused, what is cut; reading, writing, deleting; in each dialect. */
export async function play(book: Book, dataDir: string): Promise<void> {
  await inTheStore(book);
  await inWorkspaces(book);
  await withObjects(book);
  await withLinks(book);
  await withSlots(book);
  await withMedia(book);
  await withResumable(book);
  await inRuns(book, dataDir);
  await cut(book);
  await refused(book);
}

async function inTheStore(book: Book): Promise<void> {
  const three = ['a.txt', 'b.txt', 'c.txt'].map((filename) => ({
    name: 'files',
    filename,
    value: `this is ${filename}`,
  }));
  await book.sends('POST /api/v1/files/upload', { form: three, status: 200, note: { uploads: 3 } });
  const big = [{ name: 'files', filename: 'big.bin', value: BIG }];
  await book.sends('POST /api/v1/files/upload', { form: big, status: 200, note: { uploads: 1 } });
  // Over another: the difference is held, and a file came in all the same.
  await book.sends('POST /api/v1/files/upload', { form: three.slice(0, 1), status: 200, note: { uploads: 1 } });
  const one = { downloads: 1 };
  const { headers } = await book.sends('GET /api/v1/files/download?path=a.txt', { status: 200, note: one });
  const range = { range: 'bytes=1-3' };
  await book.sends('GET /api/v1/files/download?path=a.txt', { status: 206, headers: range, note: one });
  const known = { 'if-none-match': String(headers.etag) };
  await book.sends('GET /api/v1/files/download?path=a.txt', { status: 304, headers: known });
  await book.sends('HEAD /api/v1/files/download?path=a.txt', { status: 200 });
  const beyond = { range: 'bytes=500-' };
  await book.sends('GET /api/v1/files/download?path=a.txt', { status: 416, headers: beyond });
  await book.sends('GET /api/v1/files', { status: 200 });
  await book.sends('POST /api/v1/files/copy', { json: { source: 'a.txt', destination: 'copy.txt' }, status: 200 });
  await book.sends('POST /api/v1/files/archives', { json: { paths: ['a.txt', 'b.txt'] }, status: 200, note: one });
  await book.sends('DELETE /api/v1/files?path=c.txt', { status: 204 });
}

async function inWorkspaces(book: Book): Promise<void> {
  const agent = 'a1';
  const at = '/agent/a1/filesystem';
  await book.sends('POST /agent', { json: { agent_id: 'w2', user_id: U2 }, status: 201 });
  const text = { content: 'one\ntwo\nthree\n' };
  await book.sends(`POST ${at}/files/x.txt`, { json: text, status: 201, note: { agent, uploads: 1 } });
  await book.sends(`POST ${at}/files/x.txt`, { json: text, status: 409, note: { agent } });
  await book.sends(`PUT ${at}/files/y.txt?upsert=true`, { raw: 'raw', status: 200, note: { agent, uploads: 1 } });
  await book.sends(`GET ${at}/files/x.txt`, { status: 200, note: { agent, downloads: 1 } });
  await book.sends(`GET ${at}/files/x.txt?offset=2&limit=1`, { status: 200, note: { agent, downloads: 1 } });
  await book.sends(`GET ${at}/files/x.txt?raw=true`, { status: 200, note: { agent, downloads: 1 } });
  await book.sends(`GET ${at}/files/none.txt`, { status: 404, note: { agent } });
  await book.sends(`GET ${at}/directories`, { status: 200, note: { agent } });
  const patch = { operation: 'append', content: 'four\n' };
  await book.sends(`PATCH ${at}/files/x.txt`, { json: patch, status: 200, note: { agent } });
  const operations = [
    { op: 'write', path: 'p/q.txt', content: 'q' },
    { op: 'write', path: 'x.txt', content: 'in the way' },
    { op: 'write', path: 'r.txt', content: 'r' },
    { op: 'delete', path: 'y.txt' },
  ];
  await book.sends(`POST ${at}/operations/batch`, { json: { operations }, status: 200, note: { agent, uploads: 2 } });
  const bound = { agent: 'a1' };
  await book.sends(`PUT ${at}/files/own.txt?upsert=true`, {
    as: bound,
    raw: 'own',
    status: 200,
    note: { agent, uploads: 1 },
  });
  await book.sends('GET /agent/w2/filesystem/directories', { as: bound, status: 403, note: { agent } });
  const theirs = { user: U2, agent: 'w2' };
  const asU2 = { user: U2 };
  await book.sends('PUT /agent/w2/filesystem/files/z.txt?upsert=true', {
    ...{ as: asU2, raw: 'of u2', status: 200, note: { ...theirs, uploads: 1 } },
  });
  await book.sends('GET /agent/w2/filesystem/files/z.txt', {
    as: asU2,
    status: 200,
    note: { ...theirs, downloads: 1 },
  });
  // Nobody of that name is there, and so nobody is noted.
  await book.sends('GET /agent/ghost/filesystem/files/z.txt', { status: 404 });
}

async function withObjects(book: Book): Promise<void> {
  const form = (user: string, value: string, more: Readonly<Record<string, string>> = {}) => [
    ...Object.entries({ userId: user, ...more }).map(([name, text]) => ({ name, value: text })),
    { name: 'file', filename: 'f.txt', value },
  ];
  const up = { user: U1, uploads: 1 };
  const { body } = await book.sends('POST /v1/files', { form: form(U1, 'the same'), status: 201, note: up });
  await book.sends('POST /v1/files', { form: form(U1, 'the same'), status: 201, note: up });
  await book.sends('POST /v1/files', { form: form(U2, 'the same'), status: 201, note: { user: U2, uploads: 1 } });
  const json = { userId: U1, agentId: 'a1', content: Buffer.from('as json').toString('base64') };
  await book.sends('POST /v1/files', { json, status: 201, note: { ...up, agent: 'a1' } });
  const own = form(U2, 'own');
  await book.sends('POST /v1/files', { as: { user: U2 }, form: own, status: 201, note: { user: U2, uploads: 1 } });
  await book.sends('POST /v1/files', { as: { user: U1 }, form: own, status: 403, note: { user: U1 } });
  const once = { 'idempotency-key': 'once' };
  await book.sends('POST /v1/files', { json, headers: once, status: 201, note: { ...up, agent: 'a1' } });
  await book.sends('POST /v1/files', { json, headers: once, status: 201 });
  const { id } = body as { id: string };
  await book.sends(`GET /v1/files/${id}`, { status: 200, note: { user: U1 } });
  await book.sends(`GET /v1/files/${id}/content`, { status: 200, note: { user: U1, downloads: 1 } });
  await book.sends(`HEAD /v1/files/${id}/content`, { status: 200, note: { user: U1 } });
  await book.sends('GET /v1/files?userId=u1', { status: 200 });
  await book.sends(`GET /v1/files/${id}`, { as: 'stranger', status: 404 });
  await book.sends(`DELETE /v1/files/${id}`, { status: 204 });
  await book.sends(`GET /v1/files/${id}/content`, { status: 404 });
}

async function withLinks(book: Book): Promise<void> {
  const json = { userId: U1, agentId: 'a1', content: Buffer.from('0123456789').toString('base64') };
  const whose = { user: U1, agent: 'a1' };
  const { body } = await book.sends('POST /v1/files', { json, status: 201, note: { ...whose, uploads: 1 } });
  const { id } = body as { id: string };
  const { body: link } = await book.sends(`GET /v1/files/${id}/url`, { status: 200, note: whose });
  const url = new URL((link as { url: string }).url);
  const target = `${url.pathname}${url.search}`;
  const served = { as: 'nobody' as const, note: { ...whose, downloads: 1 } };
  await book.sends(`GET ${target}`, { ...served, status: 200 });
  await book.sends(`GET ${target}`, { ...served, status: 206, headers: { range: 'bytes=0-0' } });
  await book.sends(`HEAD ${target}`, { ...served, status: 200, note: whose });
  await book.sends(`GET ${target}`, { ...served, status: 416, headers: { range: 'bytes=99-' }, note: whose });
}

async function withSlots(book: Book): Promise<void> {
  const reserved = async () => {
    const json = { content_type: 'text/plain', expected_file_size: '8' };
    const { body } = await book.sends('POST /storage/upload', {
      as: { user: U2 },
      json,
      status: 200,
      note: { user: U2 },
    });
    const slot = body as { upload_url: string; required_headers: Record<string, string> };
    const url = new URL(slot.upload_url);
    return { call: `PUT ${url.pathname}${url.search}`, headers: slot.required_headers };
  };
  const whole = { as: 'nobody' as const, note: { user: U2, uploads: 1 } };
  const first = await reserved();
  await book.sends(first.call, { ...whole, raw: '01234567', headers: first.headers, status: 200 });
  const second = await reserved();
  const piece = (range: string) => ({ ...second.headers, 'content-range': `bytes ${range}/8` });
  await book.sends(second.call, { ...whole, raw: '0123', headers: piece('0-3'), status: 308, note: { user: U2 } });
  await book.sends(second.call, { ...whole, raw: '4567', headers: piece('4-7'), status: 200 });
}

async function withResumable(book: Book): Promise<void> {
  const tus = { 'tus-resumable': '1.0.0' };
  const begun = async (metadata: Readonly<Record<string, string>>, note: Note) => {
    const words = Object.entries(metadata).map(([key, text]) => `${key} ${Buffer.from(text).toString('base64')}`);
    const headers = { ...tus, 'upload-length': '8', 'upload-metadata': words.join(',') };
    const { headers: answered } = await book.sends('POST /v1/uploads', { headers, status: 201, note });
    return new URL(String(answered.location)).pathname;
  };
  const part = (offset: number) => ({
    ...{ ...tus, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
  });
  const targets: readonly (readonly [Readonly<Record<string, string>>, Note])[] = [
    [{ target: 'file', userId: U1, filename: 'tus.bin' }, { user: U1 }],
    [{ target: 'workspace', agent: 'a1', path: 'tus.bin' }, { agent: 'a1' }],
    [{ target: 'store', path: 'tus.bin' }, {}],
  ];
  for (const [metadata, note] of targets) {
    const at = await begun(metadata, note);
    await book.sends(`PATCH ${at}`, { raw: '0123', headers: part(0), status: 204, note });
    await book.sends(`PATCH ${at}`, { raw: '0123', headers: part(0), status: 409, note, isLeft: true });
    await book.sends(`HEAD ${at}`, { headers: tus, status: 200, note });
    await book.sends(`PATCH ${at}`, { raw: '4567', headers: part(4), status: 204, note: { ...note, uploads: 1 } });
    await book.sends(`HEAD ${at}`, { headers: tus, status: 200, note });
    await book.sends(`GET ${at}`, { status: 200, note });
  }
}

async function withMedia(book: Book): Promise<void> {
  const form = [{ name: 'file', filename: 'note.txt', value: 'what it says' }];
  const note = { user: U2 };
  const sent = { as: { user: U2 }, form, status: 200, note: { ...note, uploads: 1 } };
  const { body } = await book.sends('POST /media/v1/files/upload', sent);
  const { file_id: id } = (body as { data: { file_id: string } }).data;
  await book.sends(`GET /media/v1/files/${id}`, { status: 200, note: { ...note, downloads: 1 } });
  // Its text is among what is known of it: nothing of the file's bytes is served.
  await book.sends(`GET /media/v1/files/${id}/info`, { status: 200, note });
}

async function inRuns(book: Book, dataDir: string): Promise<void> {
  const note = { agent: 'a1' };
  const json = { user_id: U1, files: ['a.txt'] };
  const { body } = await book.sends('POST /agent/a1/runs', { json, status: 201, note });
  await writeFile(join(treeOf(dataDir, { agent: 'a1' }), 'made.txt'), 'made by the agent itself');
  const { run_id: id } = body as { run_id: string };
  await book.sends(`POST /agent/a1/runs/${id}/heartbeat`, { status: 200, note });
  await book.sends(`POST /agent/a1/runs/${id}/finish`, { json: { status: 'completed' }, status: 200, note });
}

async function cut(book: Book): Promise<void> {
  const half = Buffer.alloc(100_000, 'x');
  const put = 'PUT /agent/a1/filesystem/files/cut.txt?upsert=true&raw=true HTTP/1.1\r\nContent-Length: 500000';
  await book.cuts(put, half, null, { agent: 'a1' });
  await book.cuts('GET /api/v1/files/download?path=big.bin HTTP/1.1', Buffer.alloc(0), 1000, { downloads: 1 });
  await book.cuts('GET /api/v1/files/events HTTP/1.1', Buffer.alloc(0), 100);
}

async function refused(book: Book): Promise<void> {
  await book.sends('GET /v1/files', { as: 'nobody', status: 401 });
  await book.sends('GET /v1/nowhere', { as: 'nobody', status: 404 });
  await book.sends('POST /v1/files', { json: { userId: U1, content: 'no base64!' }, status: 400 });
  const large = [{ name: 'files', filename: 'large.bin', value: Buffer.alloc(MAX_STORE_BYTES + (500 << 10)) }];
  await book.sends('POST /api/v1/files/upload', { form: large, status: 413, isLeft: true });
  await book.sends('PUT /agent/a1/filesystem/files/dir/?upsert=true', { raw: 'x', status: 400, isLeft: true });
}
