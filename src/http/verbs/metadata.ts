import { z } from 'zod';
import type { Attributes, PathAttributes, ReadVolume, Volume } from '../../core/core.ts';
import { detectMediaType, mimeTypeOf } from '../../core/media-type.ts';
import { FsError } from '../../errors.ts';
import type { Entry } from '../../tree/entry.ts';
import { display, nameOf, type TreePath } from '../../tree/path.ts';
import { etagOf } from './conditions.ts';
import { timestamp } from './shapes.ts';

const MAX_TAGS = 100;
const MAX_TAG_LENGTH = 256;
// The last of 32 bits says "nobody" to the kernel.
const MAX_ID = 2 ** 32 - 2;
const MAX_METADATA_BYTES = 64 * 1024;
// shared-mime-info's names for what has no content to have a type
const NO_CONTENT: Readonly<Partial<Record<Entry['kind'], string>>> = {
  directory: 'inode/directory',
  symlink: 'inode/symlink',
  other: 'application/octet-stream',
};

const permissions = z
  .string()
  .regex(/^[0-7]{3,4}$/, 'it is octal text such as "0644"')
  .describe('Octal text. Bits above 0777 are masked off.')
  .meta({ example: '0644' });

/** Permission bits as JSON has them, parsed to a number. */
export const permissionsText = permissions.transform((text) => Number.parseInt(text, 8) & 0o777);

const userId = z
  .union([z.number().int().min(0).max(MAX_ID), z.string().regex(/^\d{1,10}$/)], {
    error: `it is a number from 0 to ${MAX_ID}: names of users are not the same here and in a container`,
  })
  .transform(Number)
  .refine((id) => id <= MAX_ID, { error: `it is at most ${MAX_ID}` });

/** Words that are said of a path. */
export const tagList = z.array(z.string().min(1).max(MAX_TAG_LENGTH)).max(MAX_TAGS);

// A request body is bounded in depth and free of names that reach a prototype before any schema sees it (decode.ts).
const metadata = z
  .record(z.string(), z.unknown())
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= MAX_METADATA_BYTES, {
    error: `it may have ${MAX_METADATA_BYTES} bytes as JSON`,
  });

export const metadataObject = z.object({
  path: z.string(),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  size: z.number().int(),
  permissions,
  mime_type: z.string().meta({ example: 'text/csv' }),
  etag: z.string().describe('As in the `ETag` header; `If-Match` takes it as it is.'),
  tags: z.array(z.string()),
  metadata: z.record(z.string(), z.unknown()),
  created_at: timestamp,
  modified_at: timestamp,
});

export const metadataPatch = z.object({
  permissions: permissionsText.optional(),
  tags: tagList.optional().describe('Replaces all tags.'),
  metadata: metadata.optional().describe('Replaces all custom metadata: one JSON object, at most 64 KiB.'),
  modified_at: z.iso.datetime({ offset: true }).optional().describe('Sets the modification time.'),
  owner: userId.optional().describe('A user id. Only where the daemon may change owners, else 403.'),
  group: userId.optional().describe('A group id. Only where the daemon may change owners, else 403.'),
});

export type MetadataPatch = z.infer<typeof metadataPatch>;

/** All that is known of a path, in the shape both trees share. `shown` is the path as the dialect writes it. */
export async function describeEntry(
  volume: ReadVolume,
  attributes: Attributes,
  path: TreePath,
  shown: string,
): Promise<z.infer<typeof metadataObject>> {
  const entry = await volume.stat(path);
  const own = await attributes.get(volume.ref, path);
  return encodeMetadata(entry, { ...own, mimeType: await mediaTypeOf(volume, entry) }, shown);
}

/**
 * Applies a patch. The parts are set one after the other; everything that can be refused is refused before the first.
 * @throws not_found, symlink (owner, permissions or times of a link), forbidden (owner, group)
 */
export async function amendEntry(
  volume: Volume,
  attributes: Attributes,
  path: TreePath,
  patch: MetadataPatch,
): Promise<void> {
  const { owner: uid, group: gid } = patch;
  const entry = await volume.stat(path);
  const setsInode = [patch.permissions, patch.modified_at, uid, gid].some((field) => field !== undefined);
  if (setsInode && entry.kind === 'symlink') {
    throw new FsError('symlink', 'a symbolic link has no owner, permissions or times of its own to set');
  }
  // First, because only the attempt tells whether the daemon may.
  if (uid !== undefined || gid !== undefined) {
    await volume.chown(path, { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) });
  }
  if (patch.permissions !== undefined) await volume.chmod(path, patch.permissions);
  if (patch.modified_at !== undefined) await volume.utimes(path, new Date(patch.modified_at));
  const own: Partial<PathAttributes> = {
    ...(patch.tags === undefined ? {} : { tags: [...new Set(patch.tags)] }),
    ...(patch.metadata === undefined ? {} : { metadata: patch.metadata }),
  };
  if (Object.keys(own).length > 0) await attributes.set(volume.ref, path, own);
}

/** By the first bytes, then the name; by the name alone where the daemon may not read the file. */
async function mediaTypeOf(volume: ReadVolume, entry: Entry): Promise<string> {
  const fixed = NO_CONTENT[entry.kind];
  if (fixed !== undefined) return fixed;
  const name = display(nameOf(entry.path));
  try {
    return await detectMediaType(await volume.open(entry.path), { name });
  } catch (error) {
    if (error instanceof FsError && error.code === 'unreadable') return mimeTypeOf(name);
    throw error;
  }
}

function encodeMetadata(
  entry: Entry,
  known: PathAttributes & { readonly mimeType: string },
  shown: string,
): z.infer<typeof metadataObject> {
  return {
    path: shown,
    type: entry.kind,
    size: entry.size,
    permissions: `0${entry.mode.toString(8).padStart(3, '0')}`,
    mime_type: known.mimeType,
    etag: etagOf(entry),
    tags: [...known.tags],
    metadata: { ...known.metadata },
    created_at: entry.createdAt.toISOString(),
    modified_at: entry.modifiedAt.toISOString(),
  };
}
