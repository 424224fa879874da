import { check, integer, property, string } from 'fast-check';
import { cut, oneLine, printable } from './printable.js';

describe('text for a terminal', () => {
  it('has no control characters but tab and line feed', () => {
    expect(printable('a\u001b[2Jb\u009b31m\u0007\r\u0085\tc\n')).toBe('a[2Jb31m\tc\n');
  });

  it('as one line keeps its words and its spaces', () => {
    expect(oneLine(' Bash  a\r\n\n b\tc\u2028d\u001b ')).toBe('Bash  a b c d');
  });

  it.each([
    ['what fits', 'letters', 7, 'letters'],
    ['what does not', 'letters', 6, 'lette…'],
    ['wide letters', '漢字漢字', 6, '漢字…'],
    ['emoji whole', '🚢🚢🚢', 5, '🚢…'],
    ['no room', 'letters', 0, '…'],
  ])('is cut: %s', (_, line, columns, shown) => {
    expect(cut(line, columns)).toBe(shown);
  });

  it('is never wider than its room, and never cut without need', () => {
    const width = (text: string) => [...text].reduce((sum, each) => sum + (each < '\u1100' ? 1 : 2), 0);
    const { counterexample } = check(
      property(string({ unit: 'binary' }), integer({ min: 1, max: 40 }), (line, columns) => {
        const shown = cut(line, columns);
        return width(line) <= columns ? shown === line : width(shown.slice(0, -1)) + 1 <= columns;
      }),
    );
    expect(counterexample).toBeNull();
  });
});
