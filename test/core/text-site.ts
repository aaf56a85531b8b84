import { Readable } from 'node:stream';
import type { Grant } from '../../src/auth/grant.ts';
import type { FileObject, ObjectMeta, TextLimits } from '../../src/core/core.ts';
import { type InnerTexts, openTexts } from '../../src/core/texts/texts.ts';
import { openLog } from '../../src/log.ts';
import { grantOf, type OneCore } from '../support/core.ts';

const META: ObjectMeta = { filename: null, purpose: null, userId: null, agentId: null, sessionId: null };

/** An object of this name and content; its type comes from both. */
export async function keep(
  one: OneCore,
  filename: string,
  content: string | Buffer,
  grant: Grant = grantOf(),
): Promise<FileObject> {
  const body = Readable.from([Buffer.from(content)]);
  const received = await one.core.objects.receive(grant.tenant, body, { maxBytes: 1e9 });
  return received.keep(grant, { ...META, filename });
}

/** Texts of the objects of a core, under limits and a clock of their own. */
export function textsOf(
  one: OneCore,
  limits: Partial<TextLimits> = {},
  clock = () => new Date(),
): InnerTexts & AsyncDisposable {
  const { db, core } = one;
  const texts = openTexts({ db, clock, log: openLog({ logLevel: 'silent' }), objects: core.objects, limits });
  return { ...texts, [Symbol.asyncDispose]: () => texts.close() };
}

/** What is kept of texts, in no order. */
export function rows(one: OneCore) {
  return one.db.selectFrom('texts').select(['tenant', 'format', 'version', 'reason']).execute();
}

/** Says that what was read before said nothing: whoever asks and hears nothing was told from memory. */
export async function blot(one: OneCore): Promise<void> {
  await one.db.updateTable('texts').set({ text: null }).execute();
}
