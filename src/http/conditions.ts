import { FsError } from '../errors.ts';
import type { Conditions } from './call.ts';

const ENTITY_TAG = /^(W\/)?"([\u0021\u0023-\u007e\u0080-\u00ff]*)"$/;

// RFC 9110 13.1.1: If-Match compares strongly, so a weak tag can never match: it stays in the list as a text no version is.
const NEVER = 'W/';

/** Reads If-Match and If-None-Match of a conditional write. @throws invalid_request for a tag that is none */
export function parseConditions(ifMatch: string | null, ifNoneMatch: string | null): Conditions {
  return {
    ifMatch: ifMatch === null ? null : entityTags(ifMatch),
    ifNoneMatchAny: ifNoneMatch !== null && ifNoneMatch.trim() === '*',
  };
}

/** True when one of the tags of an If-Match is this one. */
export function matchesVersion(tags: readonly string[], version: string): boolean {
  return tags.includes('*') || tags.includes(version);
}

function entityTags(text: string): readonly string[] {
  if (text.trim() === '*') return ['*'];
  return text.split(',').map((part) => {
    const [, weak, tag] = ENTITY_TAG.exec(part.trim()) ?? [];
    if (tag === undefined) {
      throw new FsError(
        'invalid_request',
        'If-Match takes * or a list of entity tags in double quotes, as ETag gave them',
      );
    }
    // A quoted "*" is an ordinary tag, and the word * in Conditions means any.
    return weak !== undefined || tag === '*' ? NEVER : tag;
  });
}
