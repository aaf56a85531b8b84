import { FsError } from '../errors.ts';
import type { AgentId } from '../ids.ts';
import { grantedScopes, SCOPES } from './grant.ts';

/**
 * Checks scopes that someone wants to give, space-separated: a word that would count for nothing is a mistake worth
 * telling. null (the default scopes) stays null.
 * @throws invalid_request naming the word: unknown, or never given to an agent
 */
export function parseScopes(text: string | null, agent: AgentId | null): string | null {
  if (text === null) return null;
  const words = text.split(/\s+/).filter((word) => word !== '');
  const unknown = words.find((word) => !SCOPES.some((scope) => scope === word));
  if (unknown !== undefined) {
    throw new FsError('invalid_request', `"${unknown}" is no scope; the scopes are ${SCOPES.join(' ')}`);
  }
  const given = new Set<string>(grantedScopes(words, agent));
  const never = words.find((word) => !given.has(word));
  if (never !== undefined) throw new FsError('invalid_request', `a credential bound to an agent never has ${never}`);
  if (words.length === 0)
    throw new FsError('invalid_request', 'an empty scope allows nothing; leave it out for the default');
  return words.join(' ');
}
