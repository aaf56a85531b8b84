import { createHash } from 'node:crypto';
import type { Actor, Sent } from '../../support/actor.ts';
import type { Answer } from '../../support/client.ts';

export const TUS = { 'tus-resumable': '1.0.0' };
export const OFFSET_STREAM = { 'content-type': 'application/offset+octet-stream' };

/** `Upload-Metadata` of these words. */
export function metadataOf(words: Readonly<Record<string, string>>): string {
  return Object.entries(words)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');
}

export function checksumOf(algorithm: string, bytes: string | Uint8Array): string {
  return `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`;
}

/** Headers and body with which an upload begins. */
export function beginning(
  length: number | null,
  words: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>> = {},
): Sent {
  const metadata = Object.keys(words).length === 0 ? {} : { 'upload-metadata': metadataOf(words) };
  const size = length === null ? {} : { 'upload-length': String(length) };
  return { headers: { ...TUS, ...size, ...metadata, ...more } };
}

/** One upload of an actor that has begun. */
export class Resumable {
  readonly #actor: Actor;
  readonly path: string;

  private constructor(actor: Actor, path: string) {
    this.#actor = actor;
    this.path = path;
  }

  static async begin(actor: Actor, length: number, words: Readonly<Record<string, string>>): Promise<Resumable> {
    const answer = await actor.does('POST /v1/uploads', beginning(length, words));
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
    return new Resumable(actor, new URL(answer.headers.location ?? '').pathname);
  }

  /** The same upload in the hands of somebody else. */
  as(actor: Actor): Resumable {
    return new Resumable(actor, this.path);
  }

  patch(offset: number, raw: string | Uint8Array, more: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const headers = { ...TUS, ...OFFSET_STREAM, 'upload-offset': String(offset), ...more };
    return this.#actor.does(`PATCH ${this.path}`, { raw, headers });
  }

  head(): Promise<Answer> {
    return this.#actor.does(`HEAD ${this.path}`, { headers: TUS });
  }

  get(): Promise<Answer> {
    return this.#actor.does(`GET ${this.path}`);
  }

  end(): Promise<Answer> {
    return this.#actor.does(`DELETE ${this.path}`, { headers: TUS });
  }

  async offset(): Promise<number> {
    return Number((await this.head()).headers['upload-offset']);
  }
}
