import fc from 'fast-check';
import { displayKey, kidOf, mintKey } from './key-format.js';

const kinds = fc.constantFrom('inference' as const, 'admin' as const);

describe('the format of keys', () => {
  it('gives back the kid of every key it makes', () => {
    fc.assert(
      fc.property(kinds, (kind) => {
        const { key, kid } = mintKey(kind);
        expect(key).toMatch(kind === 'admin' ? /^cc_ak_/ : /^cc_sk_/);
        expect(key).toHaveLength(68);
        expect(kidOf(key)).toBe(kid);
      }),
    );
  });

  it('refuses a key with any one character changed', () => {
    fc.assert(
      fc.property(
        kinds,
        fc.nat(67),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
        (kind, at, other) => {
          const { key } = mintKey(kind);
          fc.pre(key[at] !== other);
          expect(kidOf(key.slice(0, at) + other + key.slice(at + 1))).toBeUndefined();
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('refuses whatever else is presented', () => {
    fc.assert(fc.property(fc.string(), (garbage) => expect(kidOf(garbage)).toBeUndefined()));
  });

  it.each([
    ['a trailing newline', (key: string) => `${key}\n`],
    ['a NUL', (key: string) => `${key}\0`],
    ['a megabyte', () => 'a'.repeat(1_000_000)],
    ['nothing', () => ''],
    ['the other kind of key', (key: string) => key.replace('cc_sk_', 'cc_ak_')],
  ])('refuses %s', (_, spoil) => {
    expect(kidOf(spoil(mintKey('inference').key))).toBeUndefined();
  });

  it('never makes the same key twice', () => {
    const keys = Array.from({ length: 1000 }, () => mintKey('inference'));
    expect(new Set(keys.map(({ key }) => key)).size).toBe(1000);
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(1000);
  });

  it('shows a key without its secret', () => {
    expect(displayKey('admin', 'abcdefghijkl', 'wxyz')).toBe('cc_ak_abcdefghijkl_…wxyz');
  });
});
