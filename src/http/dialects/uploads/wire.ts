import { z } from 'zod';
import type { Grant } from '../../../auth/grant.ts';
import type { Checksum, Upload, UploadTarget, Whose } from '../../../core/core.ts';
import { FsError } from '../../../errors.ts';
import { parseAgentId } from '../../../ids.ts';
import { display, parsePath, segmentsOf } from '../../../tree/path.ts';
import { demandHarmless, snakeCase, validate } from '../../decode.ts';
import { fileFields, metaOf } from '../../verbs/file-fields.ts';
import { timestamp } from '../../verbs/shapes.ts';

const MAX_METADATA_BYTES = 4096;
const DIGEST_BYTES = { sha256: 32, sha1: 20, md5: 16 } satisfies Record<Checksum['algorithm'], number>;

const target = z.enum(['store', 'workspace', 'file']);
const pathField = z.string().min(1, { error: 'it is the path of the finished file' });

const storeFields = z.object({ path: pathField });
const workspaceFields = z.object({ path: pathField, agent: z.string().optional(), agent_id: z.string().optional() });
const objectFields = fileFields.extend({ name: z.string().optional(), agent: z.string().optional() });

export const uploadObject = z.object({
  id: z.string().meta({ example: 'upload_0197a4c2f1d47e3c8f0b6f1e2d3c4b5a' }),
  status: z.enum(['open', 'finished']),
  target,
  agentId: z.string().nullable().describe('The agent whose workspace it finishes in.'),
  path: z.string().nullable().describe('Where it finishes; null where it becomes a file with an id.'),
  length: z.number().int(),
  offset: z.number().int().describe('How many bytes are there: where it goes on.'),
  expiresAt: timestamp.describe('Moves on with every byte: 24 hours after the last.'),
  fileId: z.string().nullable().describe('The file it has become, where it has an id.'),
  url: z.string().nullable().describe('The finished file; null until it has finished.'),
});

/**
 * Where `Upload-Metadata` says that an upload finishes. What clients add for themselves is left alone.
 * @throws invalid_request, invalid_path, forbidden for a file the credential may not make
 */
export function decodeTarget(metadata: Readonly<Record<string, string | null>>, grant: Grant): UploadTarget {
  const fields: Record<string, string> = {};
  for (const [key, value] of Object.entries(metadata)) {
    const name = snakeCase(key);
    demandHarmless(name);
    if (value !== null && value !== '') fields[name] = value;
  }
  const { target: kind } = validate(z.object({ target }), fields, 'field') as { target: z.infer<typeof target> };
  if (kind === 'store') {
    const { path } = validate(storeFields, fields, 'field') as z.infer<typeof storeFields>;
    return { kind, path: parsePath(path) };
  }
  return kind === 'workspace' ? workspaceTarget(fields, grant) : fileTarget(fields, grant);
}

function workspaceTarget(fields: Readonly<Record<string, string>>, grant: Grant): UploadTarget {
  const { path, agent, agent_id } = validate(workspaceFields, fields, 'field') as z.infer<typeof workspaceFields>;
  const named = agent ?? agent_id ?? grant.agent;
  if (named === null) {
    throw new FsError('invalid_request', 'the field "agent" is missing: say in whose workspace the upload finishes');
  }
  return { kind: 'workspace', agent: parseAgentId(named), path: parsePath(path) };
}

function fileTarget(sent: Readonly<Record<string, string>>, grant: Grant): UploadTarget {
  // Clients of the protocol call it by either name.
  const { name = '', agent = '', ...rest } = sent;
  const fields = {
    ...(name === '' ? {} : { filename: name }),
    ...(agent === '' ? {} : { agent_id: agent }),
    ...rest,
  };
  return { kind: 'file', meta: metaOf(validate(objectFields, fields, 'field') as z.infer<typeof fileFields>, grant) };
}

/** @throws invalid_request where there is more than the daemon keeps */
export function demandShort(metadata: string): void {
  if (Buffer.byteLength(metadata) <= MAX_METADATA_BYTES) return;
  throw new FsError('invalid_request', `Upload-Metadata has more than the ${MAX_METADATA_BYTES} bytes that are kept`);
}

/** By which a part can be checked, as `Tus-Checksum-Algorithm` lists them. */
export const CHECKSUM_ALGORITHMS: readonly Checksum['algorithm'][] = ['sha256', 'sha1', 'md5'];

/** `sha256 <base64>`. @throws invalid_request for another algorithm, or what is no digest of it */
export function decodeChecksum(header: string | null): Checksum | null {
  if (header === null) return null;
  const [word, text = '', ...more] = header.split(' ');
  const algorithm = CHECKSUM_ALGORITHMS.find((known) => known === word);
  if (algorithm === undefined) {
    throw new FsError('invalid_request', `Upload-Checksum is by one of ${CHECKSUM_ALGORITHMS.join(', ')}`);
  }
  const digest = Buffer.from(text, 'base64');
  const isDigest = digest.length === DIGEST_BYTES[algorithm] && digest.toString('base64') === text;
  if (isDigest && more.length === 0) return { algorithm, digest };
  throw new FsError('invalid_request', `Upload-Checksum holds the ${algorithm} of this part as base64`);
}

/** Whose usage an upload is, beyond what the credential says. */
export function whoseOf({ target: to }: Upload): Partial<Whose> {
  if (to.kind === 'store') return {};
  return to.kind === 'workspace' ? { agentId: to.agent } : to.meta;
}

/** The URL of what a finished upload has become; null before. */
export function resultUrl(publicUrl: string, { target: to, isFinished, object }: Upload): string | null {
  if (!isFinished) return null;
  if (to.kind === 'file') return object === null ? null : `${publicUrl}/v1/files/${object}`;
  const shown = display(to.path);
  if (to.kind === 'store') return `${publicUrl}/api/v1/files/download?path=${encodeURIComponent(shown)}`;
  const path = segmentsOf(to.path).map((segment) => encodeURIComponent(display(segment)));
  return `${publicUrl}/agent/${to.agent}/filesystem/files/${path.join('/')}`;
}

export function encodeUpload(publicUrl: string, upload: Upload): z.infer<typeof uploadObject> {
  const { target: to } = upload;
  return {
    id: upload.id,
    status: upload.isFinished ? 'finished' : 'open',
    target: to.kind,
    agentId: to.kind === 'workspace' ? to.agent : null,
    path: to.kind === 'file' ? null : `/${display(to.path)}`,
    length: upload.length,
    offset: upload.offset,
    expiresAt: upload.expiresAt.toISOString(),
    fileId: upload.object,
    url: resultUrl(publicUrl, upload),
  };
}
