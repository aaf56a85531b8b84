const OCTET_STREAM = 'application/octet-stream';

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
