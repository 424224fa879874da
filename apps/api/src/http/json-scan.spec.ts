import { AppError } from '@app/common';
import fc from 'fast-check';
import { JSON_LIMITS, JsonScan } from './json-scan.js';

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
const refusalOf = (text: string) => {
  try {
    new JsonScan('the body', text).check();
  } catch (error) {
    if (error instanceof AppError) return { message: error.message, param: error.param };
    throw error;
  }
  return null;
};

const surviving = (value: unknown): boolean =>
  typeof value === 'number'
    ? !Object.is(value, -0) && (!Number.isInteger(value) || Number.isSafeInteger(value))
    : typeof value !== 'object' || value === null || Object.values(value).every(surviving);

const storable = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));
const keys = storable.filter((key) => !(key in Object.prototype));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.oneof(fc.integer(), fc.double({ noDefaultInfinity: true, noNaN: true })).filter(surviving),
    storable,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(keys, tie('value'), { maxKeys: 5 }),
  ),
}));

describe('the JSON scan', () => {
  it('lets every ordinary document through, however it is spaced and escaped', () => {
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 1, '\t'), fc.boolean(), (document, indent, escaped) => {
        const text = JSON.stringify(document, null, indent);
        const ascii = text.replace(
          /[\u0080-\uffff]/g,
          (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
        );
        expect(refusalOf(escaped ? ascii : text)).toBeNull();
      }),
    );
  });

  it('ends on any text, malformed or not, and throws nothing but a refusal', () => {
    const scraps = fc.array(
      fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '\\u', 'd8', '-', '1e', ' ', 'a'),
    );
    fc.assert(fc.property(scraps, (parts) => void refusalOf(parts.join(''))));
    fc.assert(fc.property(fc.string(), (text) => void refusalOf(text)));
  });

  it('finds a key given twice at any depth, also when one is spelled with escapes', () => {
    fc.assert(
      fc.property(keys, fc.array(keys, { maxLength: 4 }), (key, path) => {
        const escaped = [...key].map((c) =>
          c.length === 1 ? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}` : c,
        );
        const object = `{${JSON.stringify(key)}: {"x": 1}, "${escaped.join('')}": 2}`;
        const text = path.reduceRight((inner, name) => `{${JSON.stringify(name)}: ${inner}}`, object);
        expect(refusalOf(text)?.message).toMatch(/is given twice$/);
      }),
    );
  });

  it.each([
    ['{"a":{"tier":1,"tier":2}}', 'a.tier', /"tier" is given twice/],
    ['{"a":[0,{"b":"x\\u0000"}]}', 'a.1.b', /NUL/],
    ['{"a":"\\ud800"}', 'a', /surrogate/],
    ['{"a":"\\ud800\\ud800"}', 'a', /surrogate/],
    ['{"a":"\\udc00\\ud800"}', 'a', /surrogate/],
    ['{"a":1,"\\u0000":1}', null, /NUL/],
    ['{"a":{"__proto__":{}}}', 'a.__proto__', /unknown field/],
    ['{"constructor":1}', 'constructor', /unknown field/],
    ['{"a":{"toString":1}}', 'a.toString', /unknown field/],
    ['{"a":1e400}', 'a', /number/],
    ['{"a":1e-400}', 'a', /number/],
    ['{"a":-0}', 'a', /number/],
    ['{"a":-0.0e3}', 'a', /number/],
    ['{"a":9007199254740993}', 'a', /number/],
  ])('refuses %s at %s', (text, param, message) => {
    expect(refusalOf(text)).toEqual({ param, message: expect.stringMatching(message) });
  });

  it.each(['{"a":"\\\\u0000"}', '{"a":"\\ud83d\\ude00"}', '{"a":0.1,"b":0,"c":0e5,"d":9007199254740991}'])(
    'accepts %s',
    (text) => expect(refusalOf(text)).toBeNull(),
  );

  it('counts depth, keys and array items, and stops at the first too many', () => {
    expect(refusalOf(nested(JSON_LIMITS.levels))).toBeNull();
    expect(refusalOf(nested(40_000))?.message).toMatch(/more than 32 levels/);
    const object = (size: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: size }, (_, i) => [`k${i}`, 1])));
    expect(refusalOf(object(1_000))).toBeNull();
    expect(refusalOf(object(1_001))?.message).toMatch(/more than 1000 keys/);
    expect(refusalOf(JSON.stringify(Array(10_000).fill(0)))).toBeNull();
    expect(refusalOf(JSON.stringify(Array(10_001).fill(0)))?.message).toMatch(/more than 10000 array items/);
  });

  it('costs little for a long prompt', () => {
    const line = 'She said: "naïve 日本 😀"\n\ttab ';
    const text = JSON.stringify({ prompt: line.repeat(Math.ceil(1_048_576 / Buffer.byteLength(line))) });
    for (let warmUp = 0; warmUp < 5; warmUp += 1) new JsonScan('the body', text).check();
    const times = Array.from({ length: 9 }, () => {
      const start = performance.now();
      new JsonScan('the body', text).check();
      return performance.now() - start;
    });
    // About 3 ms on an idle core; the bound leaves room for a busy machine and still fails a quadratic scan.
    expect(Math.min(...times)).toBeLessThan(50);
  });
});
