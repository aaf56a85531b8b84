import { fileTypeFromBuffer } from 'file-type';
import mime from 'mime-types';
import type { OpenFile } from '../tree/tree.ts';

export const OCTET_STREAM = 'application/octet-stream';

/** As many first bytes as any signature needs. */
const HEAD_BYTES = 4100;

// Containers: what is in them is told better by the name, where it says anything.
const GENERIC = new Set(['application/zip', 'application/xml', 'application/x-cfb', 'application/gzip', 'video/mp2t']);

// The registry knows some of these as something else (.ts is an MPEG transport stream) or not at all. They are source text.
const SOURCE_TEXT = new Set(
  (
    'ts mts cts tsx jsx vue svelte py pyi rb rs go java kt kts scala swift c h cc cpp cxx hpp hh cs fs m mm php pl pm ' +
    'lua r jl dart ex exs erl hrl hs clj cljs sh bash zsh fish ps1 bat cmd sql graphql gql proto toml ini cfg conf env ' +
    'lock gitignore dockerignore editorconfig diff patch tf hcl nix zig v sol tex bib rst adoc log properties gradle'
  ).split(' '),
);
const BY_WHOLE_NAME = new Set(['dockerfile', 'makefile', 'license', 'readme', 'procfile', 'gemfile', 'rakefile']);

/** The media type a file's name suggests, without charset; `application/octet-stream` where it suggests none. */
export function mimeTypeOf(name: string): string {
  const base = name.slice(name.lastIndexOf('/') + 1).toLowerCase();
  if (BY_WHOLE_NAME.has(base)) return 'text/plain';
  const dot = base.lastIndexOf('.');
  if (dot < 0) return OCTET_STREAM;
  if (SOURCE_TEXT.has(base.slice(dot + 1))) return 'text/plain';
  // "x" in front: mime-types takes a bare ".png" for a dotfile, but a file of that name is served like any other.
  return mime.lookup(`x${base.slice(dot)}`) || OCTET_STREAM;
}

/** The media type of a file: by its first bytes, then by its name. Closes the file. */
export async function detectMediaType(file: OpenFile, name: string | null): Promise<string> {
  const byName = mimeTypeOf(name ?? '');
  const byBytes = (await fileTypeFromBuffer(await head(file)))?.mime;
  if (byBytes === undefined) return byName;
  return GENERIC.has(byBytes) && byName !== OCTET_STREAM ? byName : byBytes;
}

async function head(file: OpenFile): Promise<Buffer> {
  if (file.entry.size === 0) {
    await file.close();
    return Buffer.alloc(0);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of file.stream({ start: 0, end: Math.min(file.entry.size, HEAD_BYTES) - 1 })) {
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}
