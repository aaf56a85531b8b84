import { display, encodePath } from '../tree/path.ts';
import type { FileObject } from './core.ts';

const MAX_NAME_BYTES = 255;
const SHORT_ID_CHARACTERS = 8;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what is replaced
const UNSAFE = /[\u0000-\u001f\u007f/\\]/g;

type Named = Pick<FileObject, 'id' | 'filename'>;

/** The name an object goes by in a workspace: its filename made safe for a disk, or its id where it has none. */
export function safeName(object: Named): string {
  const last = (object.filename ?? '').split(/[/\\]/).at(-1) ?? '';
  const name = display(last).replace(UNSAFE, '_').trim();
  return name === '' || name === '.' || name === '..' ? object.id : cut(name, '');
}

/** The name that makes way for a newer object of the same one: `report-1a2b3c4d.pdf`. */
export function longName(object: Named): string {
  return cut(safeName(object), `-${object.id.slice(-SHORT_ID_CHARACTERS)}`);
}

/** As `longName`, with the whole id: where even that is taken. */
export function fullName(object: Named): string {
  return cut(safeName(object), `-${object.id}`);
}

/** The first of an object's names that is free. The last of them holds its id, and is taken in any case. */
export function freeName(object: Named, isTaken: (name: string) => boolean): string {
  const names = [safeName(object), longName(object)];
  return names.find((name) => !isTaken(name)) ?? fullName(object);
}

/** Puts `suffix` before the extension and shortens the stem until the whole fits into a name on disk. */
function cut(name: string, suffix: string): string {
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : '';
  const stem = Array.from(name.slice(0, name.length - extension.length));
  while (encodePath(stem.join('') + suffix + extension).length > MAX_NAME_BYTES) stem.pop();
  return stem.join('') + suffix + extension;
}
