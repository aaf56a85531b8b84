import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Actor, Sent } from '../../support/actor.ts';
import type { Answer } from '../../support/client.ts';
import type { World } from '../../support/scenario.ts';

/** What `POST /storage/upload` answers. */
export interface Reserved {
  readonly file_id: string;
  readonly upload_url: string;
  readonly expires_at: string;
  readonly required_headers: Readonly<Record<string, string>>;
}

export interface Row {
  readonly file_id: string;
  readonly status: string;
  readonly [field: string]: unknown;
}

/** A slot of the world's owner, or of another. */
export async function reserve(world: World, wanted: object = {}, who: Actor = world.owner): Promise<Reserved> {
  const answer = await who.does('POST /storage/upload', { json: { content_type: 'text/plain', ...wanted } });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return answer.body as Reserved;
}

/** The path and query of an absolute URL. */
export function targetOf(url: string): string {
  const { pathname, search } = new URL(url);
  return `${pathname}${search}`;
}

/** Sends bytes to a slot, without a credential, with the headers it asks for and these over them. */
export function put(
  world: World,
  slot: Reserved,
  raw: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const sent: Sent = { raw, headers: { ...slot.required_headers, ...headers } };
  return world.as('nobody').does(`PUT ${targetOf(slot.upload_url)}`, sent);
}

/** A slot that has its bytes. */
export async function filled(world: World, content = '0123456789', wanted: object = {}): Promise<Reserved> {
  const slot = await reserve(world, wanted);
  const answer = await put(world, slot, content);
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
  return slot;
}

/** How a slot stands, as the list says. */
export async function rowOf(world: World, { file_id: id }: Pick<Reserved, 'file_id'>): Promise<Row | undefined> {
  const { body } = await world.owner.does('GET /storage/files?limit=100');
  return (body as { files: Row[] }).files.find((row) => row.file_id === id);
}

/** What the ledger says of the tenant: stored and reserved. */
export async function usageOf(world: World): Promise<Readonly<Record<string, number>>> {
  const admin = world.as({ scope: 'admin' });
  const { body } = await admin.does(`GET /admin/tenants/${world.tenant}`);
  return (body as { usage: Record<string, number> }).usage;
}

/** The bytes behind a download URL, read without a credential. */
export async function bytesOf(world: World, id: string, who: Actor = world.owner): Promise<string> {
  const { body } = await who.does(`GET /storage/download/${id}`);
  const { download_url: url } = body as { download_url: string };
  return (await world.as('nobody').does(`GET ${targetOf(url)}`)).text;
}

/** What lies in the staging of the tenant's objects. */
export async function stagedOf({ daemon, tenant }: World): Promise<readonly string[]> {
  return readdir(join(daemon.dataDir, 'tenants', tenant, 'objects', 'staging')).catch(() => []);
}

/** A body without a declared length, as a program sends that makes it while it sends it. */
export function putChunked({ daemon }: World, slot: Reserved, chunks: readonly string[]): Promise<Response> {
  const url = `${daemon.url}${targetOf(slot.upload_url)}`;
  const body = Readable.from(chunks.map((chunk) => Buffer.from(chunk)));
  return fetch(url, { method: 'PUT', body, headers: { ...slot.required_headers }, duplex: 'half' });
}
