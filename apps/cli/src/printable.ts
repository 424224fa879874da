/** Escape sequences and other control characters, less tab and line feed. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** What may be written to a real terminal, whoever said it. */
export const printable = (text: string): string => text.replace(CONTROL, '');

/** The same as one line. */
export const oneLine = (text: string): string =>
  printable(text.replaceAll(/\s*[\t\n\r\u2028\u2029]\s*/g, ' ')).trim();

/** The beginning, as far as it fits. A letter beyond the plain alphabets may be two columns wide. */
export function cut(line: string, columns: number): string {
  const letters = [...line];
  let room = columns;
  const end = letters.findIndex((letter) => (room -= (letter.codePointAt(0) ?? 0) < 0x1100 ? 1 : 2) < 0);
  if (end === -1) return line;
  // What was left of the room is too little, so the mark takes the place of one more letter.
  return `${letters.slice(0, Math.max(0, end - 1)).join('')}…`;
}
