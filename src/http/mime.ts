import mime from 'mime-types';

export const OCTET_STREAM = 'application/octet-stream';

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

// What a browser only ever shows or plays. Everything else goes out as an attachment: a list of what is safe cannot miss
// the next type that turns out to run scripts.
const SHOWN_SAFELY =
  /^(?:text\/(?:plain|csv|markdown)|application\/json|image\/(?:png|jpeg|gif|webp|avif|bmp|apng)|(?:audio|video)\/[a-z0-9.+-]+)$/;

/** How a file of this type is sent so that nothing in it runs in the origin of this server. */
export interface SafeContentType {
  /** The type as told, with a charset where it is text. */
  readonly contentType: string;
  readonly disposition: 'inline' | 'attachment';
}

/** @param declared a media type, perhaps of a stranger's choosing; one that is malformed becomes octet-stream */
export function safeContentType(declared: string): SafeContentType {
  const essence = declared.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (!/^[a-z0-9!#$&^_.+-]{1,127}\/[a-z0-9!#$&^_.+-]{1,127}$/.test(essence)) {
    return { contentType: OCTET_STREAM, disposition: 'attachment' };
  }
  const charset =
    /;\s*charset="?([A-Za-z0-9._-]{1,40})"?/i.exec(declared)?.[1] ?? (essence.startsWith('text/') ? 'utf-8' : null);
  return {
    contentType: charset === null ? essence : `${essence}; charset=${charset}`,
    disposition: SHOWN_SAFELY.test(essence) ? 'inline' : 'attachment',
  };
}
