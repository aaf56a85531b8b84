import { credentialOf, type Headers } from '../../src/auth/credential.ts';
import { refused } from './refused.ts';

describe('credentialOf', () => {
  it.each<[string, Headers]>([
    ['Authorization: Bearer', { authorization: 'Bearer abc' }],
    ['any case of the scheme', { authorization: 'bEARER  abc ' }],
    ['X-API-Key', { 'x-api-key': 'abc' }],
    ['X-Sapiom-Api-Key', { 'x-sapiom-api-key': ' abc ' }],
    ['the same twice', { authorization: 'Bearer abc', 'x-api-key': 'abc' }],
    ['lists of values', { authorization: ['Bearer abc'], 'x-api-key': ['abc', 'abc'] }],
  ])('reads %s', (_, headers) => {
    expect(credentialOf(headers)).toBe('abc');
  });

  it.each<[string, Headers]>([
    ['nothing', {}],
    ['an empty header', { 'x-api-key': '' }],
    ['a bare scheme', { authorization: 'Bearer ' }],
    ['a token without scheme', { authorization: 'abc' }],
    ['another scheme', { authorization: 'Basic YWJj' }],
    ['two words', { authorization: 'Bearer abc def' }],
    ['two that differ', { authorization: 'Bearer abc', 'x-api-key': 'def' }],
    ['two keys that differ', { 'x-api-key': 'abc', 'x-sapiom-api-key': 'def' }],
    ['one header twice', { authorization: ['Bearer abc', 'Bearer def'] }],
    ['one good and one empty', { authorization: 'Bearer abc', 'x-api-key': '' }],
    ['one good and one of another scheme', { authorization: 'Basic YWJj', 'x-api-key': 'abc' }],
  ])('refuses %s', async (_, headers) => {
    await refused('unauthenticated', () => credentialOf(headers));
  });
});
