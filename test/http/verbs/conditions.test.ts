import { expectedBy } from '../../../src/http/verbs/conditions.ts';

describe('expectedBy', () => {
  it('says what a conditional write demands of the path', () => {
    expect(expectedBy({ ifMatch: null, ifNoneMatchAny: false })).toBeNull();
    expect(expectedBy({ ifMatch: null, ifNoneMatchAny: true })).toEqual({ absent: true });
    expect(expectedBy({ ifMatch: ['v1', 'v2'], ifNoneMatchAny: false })).toEqual({ versions: ['v1', 'v2'] });
  });

  it('lets nothing satisfy both at once', () => {
    expect(expectedBy({ ifMatch: ['*'], ifNoneMatchAny: true })).toEqual({ versions: [] });
  });
});
