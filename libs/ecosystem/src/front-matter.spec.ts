import fc from 'fast-check';
import { splitFrontMatter } from './front-matter.js';
import { Unfit } from './unfit.js';

describe('front matter', () => {
  it('ends at the first line that is ---', () => {
    const { fields, body } = splitFrontMatter('---\na: 1\n---\nb\n---\nc');
    expect([...fields]).toEqual([['a', 1]]);
    expect(body).toBe('b\n---\nc');
  });

  it('may be all that there is', () => {
    expect(splitFrontMatter('---\na: 1\n---').body).toBe('');
  });

  it.each([
    ['a tag', 'a: !!js/function "function () {}"'],
    ['a tag of its own', 'a: !thing x'],
    ['an alias', 'a: &x 1\nb: *x'],
    ['a key twice', 'a: 1\na: 2'],
    ['a broken line', 'a: b: c'],
    ['depth', `a: ${'['.repeat(30_000)}`],
  ])('is refused with %s', (_, yaml) => {
    expect(() => splitFrontMatter(`---\n${yaml}\n---\n`)).toThrow(Unfit);
  });

  it('does not become a prototype', () => {
    const { fields } = splitFrontMatter('---\n__proto__: { polluted: true }\nconstructor: 1\n---\n');
    expect(fields.has('__proto__')).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('is split or refused, whatever it is', () => {
    const unit = fc.constantFrom('-', '\n', ':', ' ', 'a', '&', '*', '[', '{', '"', '!');
    fc.assert(
      fc.property(fc.string({ unit }), (text) =>
        ['split', 'refused'].includes(fateOf(`---\n${text}\n---\n`)),
      ),
    );
  });
});

function fateOf(text: string): string {
  try {
    return splitFrontMatter(text).fields instanceof Map ? 'split' : 'split into something else';
  } catch (error) {
    return error instanceof Unfit ? 'refused' : String(error);
  }
}
