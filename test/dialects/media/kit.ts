import type { World } from '../../support/scenario.ts';

/** A file of a form. */
export const part = (filename: string, value: string | Uint8Array, name = 'file') => ({ name, filename, value });
export const UPLOAD = 'POST /media/v1/files/upload';
/** What the envelope names the request by. */
export const headers = { 'x-request-id': 'req-1' };

interface Data {
  readonly data: Readonly<Record<string, unknown>> & { readonly file_id: string };
}
/** What the envelope holds. */
export const dataOf = (body: unknown) => (body as Data).data;

/** Uploads a file; its id is the word `id`. */
export const uploaded =
  (filename: string, content: string | Uint8Array) =>
  async ({ owner }: World) => ({
    id: dataOf((await owner.does(UPLOAD, { form: [part(filename, content)] })).body).file_id,
  });
