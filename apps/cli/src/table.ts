import Table from 'cli-table3';
import { oneLine } from './printable.js';

type Cell = string | number | null;

/** Rows under a head: with borders and colour for a person, plain aligned columns for a pipe. */
export function table(head: string[], rows: Cell[][], interactive: boolean): string {
  const cells = rows.map((row) => row.map((cell) => oneLine(String(cell ?? '-'))));
  if (interactive) {
    const drawn = new Table({ head, style: { head: ['cyan'], compact: true } });
    drawn.push(...cells);
    return drawn.toString();
  }
  const lines = [head.map((title) => title.toUpperCase()), ...cells];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** One thing, a line for each of its fields. Lists are joined, null is shown as a dash. */
export function fields(object: object): string {
  const width = Math.max(...Object.keys(object).map((name) => name.length));
  return Object.entries(object)
    .map(([name, value]) => `${name.padEnd(width)}  ${shown(value)}`.trimEnd())
    .join('\n');
}

function shown(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (Array.isArray(value)) return oneLine(value.join(', ')) || '-';
  return oneLine(typeof value === 'object' ? JSON.stringify(value) : String(value));
}
