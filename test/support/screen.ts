/** Escape sequences of a terminal (CSI), and the characters between them. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const TOKENS = /\u001b\[([?0-9;]*)([A-Za-z])|[^]/gu;

/**
 * What a person sees of a terminal's raw output: its lines at the end, and every text that a line ever held. Knows
 * what ora and a plain program write; anything else shows up as it is.
 */
export function screenOf(raw: string, columns: number): { lines: string[]; frames: string[] } {
  const screen: string[][] = [[]];
  const frames: string[] = [];
  let [row, column] = [0, 0];
  const line = () => (screen[row] ??= []);
  const shown = (letters: string[]) =>
    Array.from(letters, (letter) => letter ?? ' ')
      .join('')
      .trimEnd();
  for (const [token, parameter = '', command] of raw.matchAll(TOKENS)) {
    if (command === 'G') column = Number(parameter || 1) - 1;
    else if (command === 'A') row = Math.max(0, row - Number(parameter || 1));
    else if (command === 'K') {
      frames.push(shown(line()));
      line().length = column;
    } else if (command !== undefined) continue;
    else if (token === '\r') column = 0;
    else if (token === '\n') row += 1;
    else {
      if (column === columns) [row, column] = [row + 1, 0];
      line()[column++] = token;
    }
  }
  return { lines: screen.map((letters) => shown(letters ?? [])), frames };
}
