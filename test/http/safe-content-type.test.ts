import { safeContentType } from '../../src/http/safe-content-type.ts';

describe('safeContentType', () => {
  it('keeps a charset that was declared, and says UTF-8 for other text', () => {
    expect(safeContentType('text/plain; charset=ISO-8859-1').contentType).toBe('text/plain; charset=ISO-8859-1');
    expect(safeContentType('text/csv').contentType).toBe('text/csv; charset=utf-8');
    expect(safeContentType('image/png; name="x"').contentType).toBe('image/png');
  });
});
