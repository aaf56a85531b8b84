import { fileTypeFromBuffer } from 'file-type';
import mime from 'mime-types';
import type { OpenFile } from '../tree/tree.ts';

export const OCTET_STREAM = 'application/octet-stream';

/** As many first bytes as any signature needs. */
const HEAD_BYTES = 4100;

// Containers: what is in them is told better by the name, where it says anything.
const GENERIC = new Set(['application/zip', 'application/xml', 'application/x-cfb', 'application/gzip', 'video/mp2t']);

// What each may hold is sound alone or video with it, and the first bytes do not always say.
const CONTAINERS = [
  ['video/webm', 'audio/webm'],
  ['audio/ogg', 'video/ogg', 'application/ogg'],
  ['video/mp4', 'audio/mp4', 'audio/x-m4a', 'audio/m4a', 'video/x-m4v'],
];

// A file of one of these begins so that it is known: one that does not is none.
const TOLD_BY_BYTES = new Set([
  ...['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'audio/mpeg', 'audio/wav', 'application/pdf'],
  ...CONTAINERS.flat(),
  ...GENERIC,
]);

// What is known by its first bytes and may have nothing but text in them; all else has more there.
const WRITTEN = /^(?:text\/.+|application\/(?:pdf|postscript|rtf|xml)|model\/stl)$/;

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

/** What is said of a file besides its bytes. */
export interface KnownOfType {
  readonly name: string | null;
  /** The type that whoever sent it gives it. */
  readonly declared?: string | null | undefined;
}

/**
 * The media type of a file, without parameters: by its first bytes, then by its name, then as declared. Where the bytes are a
 * container for sound as well as video, the declared type decides, then the name. Closes the file.
 */
export async function detectMediaType(file: OpenFile, { name, declared = null }: KnownOfType): Promise<string> {
  const bytes = await head(file);
  const byName = mimeTypeOf(name ?? '');
  const byBytes = await typeShown(bytes, byName);
  const said = essenceOf(declared ?? '') ?? OCTET_STREAM;
  if (byBytes === null) return byName !== OCTET_STREAM ? byName : believable(said, bytes);
  const family = CONTAINERS.find((types) => types.includes(byBytes));
  if (family !== undefined) return [said, byName].find((type) => family.includes(type)) ?? byBytes;
  if (!GENERIC.has(byBytes)) return byBytes;
  return [byName, said].find((type) => type !== OCTET_STREAM && !TOLD_BY_BYTES.has(type)) ?? byBytes;
}

/** What the first bytes are known by. A text may begin with the letters of something else: "BMW" is no bitmap. */
async function typeShown(bytes: Buffer, byName: string): Promise<string | null> {
  const shown = essenceOf((await fileTypeFromBuffer(bytes))?.mime ?? '');
  const isChance = shown !== null && byName.startsWith('text/') && !WRITTEN.test(shown) && isText(bytes);
  return isChance ? null : shown;
}

/** Whether these first bytes are text: UTF-8, whose last character may be cut, and no control characters but white space. */
function isText(bytes: Buffer): boolean {
  if (bytes.some((byte) => byte < 0x20 && !(byte >= 0x09 && byte <= 0x0d))) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** A declared type, unless the bytes would show it and do not. */
function believable(said: string, bytes: Buffer): string {
  const isContradicted = TOLD_BY_BYTES.has(said) || (said.startsWith('text/') && bytes.includes(0));
  return isContradicted ? OCTET_STREAM : said;
}

/** `audio/ogg` of `audio/ogg; codecs=opus`, in lower case; null for what is no media type. */
function essenceOf(type: string): string | null {
  const essence = type.split(';', 1).join('').trim().toLowerCase();
  return /^[a-z0-9][a-z0-9!#$&^_.+-]{0,62}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}$/.test(essence) ? essence : null;
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
