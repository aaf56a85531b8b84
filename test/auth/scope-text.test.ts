import { SCOPES } from '../../src/auth/grant.ts';
import { parseScopes } from '../../src/auth/scope-text.ts';
import { parseAgentId } from '../../src/ids.ts';
import { refused } from './refused.ts';

const agent = parseAgentId('a1');

describe('parseScopes', () => {
  it('gives words back in one spelling, and null for the default', () => {
    expect(parseScopes(null, null)).toBeNull();
    expect(parseScopes('  files:read \t store:write\n', null)).toBe('files:read store:write');
    expect(parseScopes(SCOPES.join(' '), null)).toBe(SCOPES.join(' '));
    expect(parseScopes('workspace:read', agent)).toBe('workspace:read');
  });

  it('refuses what would allow nothing or not what it says', async () => {
    for (const text of ['', ' ', 'store', 'files:read all', 'FILES:READ', 'files:read,store:read', '__proto__']) {
      await refused('invalid_request', () => parseScopes(text, null));
    }
    for (const word of ['store:write', 'runs:write', 'usage:read', 'admin']) {
      const error = await refused('invalid_request', () => parseScopes(`files:read ${word}`, agent));
      expect(error.message).toContain(word);
    }
  });
});
