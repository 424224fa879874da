import fc from 'fast-check';
import { storable } from './storable.js';

describe('what can be stored', () => {
  it('never holds NUL or half a character, wherever they stood', () => {
    const hostile = fc.string({ unit: fc.constantFrom('a', '\0', '\ud800', '\udc00', '😀', '"', '\\') });
    fc.assert(
      fc.property(fc.object({ key: hostile, values: [hostile, fc.integer()] }), (value) => {
        const text = JSON.stringify(storable(value));
        expect(text).not.toMatch(/\\u(0000|d[89a-f]..)/i);
        expect(Buffer.from(text).toString()).toBe(text);
      }),
    );
  });

  it('leaves what is good as it is', () => {
    const value = { a: ['😀', 1, null, true, { b: 'ü' }], c: undefined };
    expect(storable(value)).toEqual(value);
  });

  it('is cut where it is too long, and says how much is missing', () => {
    expect(storable({ a: ['x'.repeat(12)] }, 10)).toEqual({ a: ['xxxxxxxxxx… [2 characters more]'] });
  });

  it('is not followed for ever', () => {
    let deep: unknown = 'end';
    for (let depth = 0; depth < 10_000; depth += 1) deep = [deep];
    expect(JSON.stringify(storable(deep))).toContain('nested too deep');
  });
});
