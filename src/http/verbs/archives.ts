import { create as contentDisposition } from 'content-disposition';
import { z } from 'zod';
import type { Scope } from '../../auth/grant.ts';
import {
  extractArchive,
  PACKED_FORMATS,
  type PackWanted,
  packArchive,
  storeArchive,
} from '../../core/archives/archives.ts';
import type { ReadVolume, Volume } from '../../core/core.ts';
import { FsError } from '../../errors.ts';
import { display, nameOf, parseDirectory, parsePath, ROOT, type TreePath } from '../../tree/path.ts';
import type { Call, Reply, Route } from '../call.ts';
import { expectedBy } from './conditions.ts';
import { amount, timestamp } from './shapes.ts';

const MAX_PATHS = 1000;

/** What the archive calls of a dialect differ in. */
export interface ArchiveTree {
  /** Before the dot in the names of the routes. */
  readonly dialect: string;
  readonly scopes: { readonly read: Scope; readonly write: Scope };
  /** @throws not_found, forbidden */
  readonly openToRead: (call: Call) => Promise<ReadVolume>;
  readonly openToChange: (call: Call) => Promise<Volume>;
  readonly showPath: (path: TreePath) => string;
  /** Of an archive that is stored, and of each file that is extracted. */
  readonly maxFileBytes: number;
}

const treePath = z.string().min(1).meta({ example: '/data/archive.zip' });

const archiveBody = z.object({
  paths: z
    .array(z.string().meta({ example: '/data' }))
    .min(1)
    .max(MAX_PATHS)
    .describe(
      'Files, directories with all that is in them, and links as links. Names in the archive begin below the directory that holds all of these.',
    ),
  output_path: treePath
    .optional()
    .describe('Where the archive is stored, replacing a file; without it the archive streams back.'),
  format: z.enum(PACKED_FORMATS).optional().describe('By default what the ending of `output_path` says, else zip.'),
  compression_level: z
    .number()
    .int()
    .min(0)
    .max(9)
    .optional()
    .describe('0 stores, 9 is smallest. A plain tar has none.'),
});

const archiveReply = z.object({ path: treePath, size: amount, format: z.enum(PACKED_FORMATS), created_at: timestamp });

const extractBody = z.object({
  archive_path: treePath.describe('The archive. What it is shows its content, not its name.'),
  destination: z
    .string()
    .optional()
    .describe('The directory to extract into; made where it is missing.')
    .meta({ example: '/data/out' }),
  output_path: z.string().optional().describe('Another name for `destination`.'),
  overwrite: z.boolean().default(false).describe('Replace files that exist. Never a directory.'),
});

const extractReply = z.object({
  destination: z.string().meta({ example: '/data/out' }),
  files_extracted: amount.describe('Files and links, without directories.'),
  bytes: amount.describe('What the files hold together.'),
});

/** `POST archives` and `POST archives/extract` of one dialect. */
export function archiveRoutes(tree: ArchiveTree): readonly Route[] {
  return [archiveRoute(tree), extractRoute(tree)];
}

function archiveRoute(tree: ArchiveTree): Route {
  return {
    method: 'POST',
    path: '/archives',
    name: `${tree.dialect}.archive`,
    summary: `Pack files and directories as ${PACKED_FORMATS.join(', ')}: into the tree, which takes the right to write, or streamed back.`,
    access: tree.scopes.read,
    body: archiveBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      200: {
        description: 'The archive itself, where no `output_path` was given. A failure on the way cuts the connection.',
      },
      201: { description: 'The archive is stored.', schema: archiveReply },
      400: { description: 'A bad path, an unknown format, or an archive that would contain itself.' },
      404: { description: 'One of the paths, or the workspace, is missing.' },
      412: { description: 'What is at `output_path` is not what If-Match or If-None-Match demands.' },
      413: { description: 'The archive is larger than a file may be here.' },
      507: { description: 'The quota is used up.' },
    },
    handle: async (call) => {
      const body = await call.json<z.infer<typeof archiveBody>>();
      const wanted: PackWanted = {
        paths: body.paths.map(parseDirectory),
        format: body.format ?? null,
        level: body.compression_level ?? null,
        signal: call.signal,
      };
      return body.output_path === undefined ? stream(tree, call, wanted) : store(tree, call, wanted, body.output_path);
    },
  };
}

async function stream(tree: ArchiveTree, call: Call, wanted: PackWanted): Promise<Reply> {
  const { stream, contentType, extension } = await packArchive(await tree.openToRead(call), wanted);
  const [path = ROOT, ...more] = wanted.paths;
  const name = path === ROOT || more.length > 0 ? 'archive' : display(nameOf(path));
  const headers = { 'content-disposition': contentDisposition(`${name}${extension}`) };
  call.tally.carries();
  return { status: 200, stream, contentType, headers };
}

async function store(tree: ArchiveTree, call: Call, wanted: PackWanted, outputPath: string): Promise<Reply> {
  const output = parsePath(outputPath);
  const volume = await tree.openToChange(call);
  const options = { ...wanted, maxFileBytes: tree.maxFileBytes, expected: expectedBy(call.conditions) };
  const { entry, format } = await storeArchive(volume, output, options);
  const json = { path: tree.showPath(entry.path), size: entry.size, format, created_at: entry.createdAt.toISOString() };
  return { status: 201, json };
}

function extractRoute(tree: ArchiveTree): Route {
  return {
    method: 'POST',
    path: '/archives/extract',
    name: `${tree.dialect}.extract`,
    summary: `Extract an archive of the same tree (${PACKED_FORMATS.join(', ')}), all of it or nothing.`,
    access: tree.scopes.write,
    body: extractBody,
    bodyKinds: ['json'],
    creates: true,
    replies: {
      200: { description: 'Extracted.', schema: extractReply },
      400: {
        description: 'Not an archive, a damaged one, or one with an entry that is not safe; the answer names it.',
      },
      404: { description: 'The archive or the workspace is missing.' },
      409: { description: 'Something is in the way; `overwrite` replaces files.' },
      413: { description: 'A file in it is larger than a file may be here.' },
      429: { description: 'Too many extractions of this tenant wait for their turn.' },
      503: { description: 'Too many extractions wait for their turn.' },
      507: { description: 'The quota is used up.' },
    },
    handle: async (call) => {
      const body = await call.json<z.infer<typeof extractBody>>();
      const destination = parseDirectory(destinationOf(body));
      const archive = parsePath(body.archive_path);
      const volume = await tree.openToChange(call);
      const { overwrite } = body;
      const options = { archive, destination, overwrite, maxFileBytes: tree.maxFileBytes, signal: call.signal };
      const { files, bytes } = await extractArchive(volume, options);
      return { status: 200, json: { destination: tree.showPath(destination), files_extracted: files, bytes } };
    },
  };
}

/** @throws invalid_request unless one of the two names says it */
function destinationOf({ destination, output_path: other }: z.infer<typeof extractBody>): string {
  const named = destination ?? other;
  if (named === undefined) throw new FsError('invalid_request', 'the field "destination" is missing');
  if (other === undefined || other === named) return named;
  throw new FsError('invalid_request', 'destination and output_path name two places; give one of them');
}
