import type { Core, ReceivedObject } from '../../core/core.ts';
import { FsError } from '../../errors.ts';
import type { Call, Form, UploadedPart } from '../call.ts';

export interface FormFileWanted {
  /** What the part with the file may be called; the first is its name in errors. */
  readonly fields: readonly [string, ...string[]];
  readonly maxBytes: number;
}

/**
 * Receives a form that holds one file, and hands the file on; it is discarded where `use` fails.
 * @throws invalid_request for a form without it or with another part, too_large, quota_exceeded, and what `use` throws
 */
export async function withFormFile<T>(
  core: Core,
  call: Call,
  { fields, maxBytes }: FormFileWanted,
  use: (object: ReceivedObject, part: UploadedPart, form: Form) => Promise<T>,
): Promise<T> {
  const [wanted] = fields;
  const received: ReceivedObject[] = [];
  try {
    const form = await call.form(
      async (body, part) => {
        if (!fields.includes(part.field)) {
          throw new FsError(
            'invalid_request',
            `the part "${part.field}" is not taken here: the file is the part "${wanted}"`,
          );
        }
        const object = await core.objects.receive(call.grant.tenant, body, { maxBytes });
        received.push(object);
        return object.staged;
      },
      { maxParts: 1 },
    );
    const [[object], [part]] = [received, form.parts];
    if (object === undefined || part === undefined) {
      throw new FsError('invalid_request', `the form has no file: send it as the part "${wanted}", with a filename`);
    }
    return await use(object, part, form);
  } catch (error) {
    for (const object of received) await object.discard();
    throw error;
  }
}

/** The name a part carries: the last element of what the client sent, or null where it sent none. */
export function partName(sent: string): string | null {
  const name = sent.split(/[/\\]/).at(-1) ?? '';
  return name === '' ? null : name;
}
