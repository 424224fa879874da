import { randomBytes } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';

/** A text that nobody else writes, found again however it was spelled: as it is, in hex, in base64. */
export class Canary {
  private readonly forms: string[];

  constructor(
    readonly name: string,
    readonly text = `canary${name}${randomBytes(12).toString('hex')}`,
  ) {
    const bytes = Buffer.from(text);
    this.forms = [text, bytes.toString('hex'), ...[0, 1, 2].map((offset) => base64At(bytes, offset))];
  }

  isIn(said: string): boolean {
    return this.forms.some((form) => said.includes(form));
  }
}

/** What base64 makes of these bytes behind so many others, without what depends on the neighbours. */
function base64At(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64url');
  const whole = Math.floor(((offset + bytes.length) * 8) / 6);
  return encoded.slice(Math.ceil((offset * 8) / 6), whole);
}

/** The names of those that are in a text. */
export const namesIn = (said: string, canaries: Canary[]): string[] =>
  canaries.filter((canary) => canary.isIn(said)).map(({ name }) => name);

/** Where in the whole database each of them stands, as `table.column`; one that is nowhere has an empty list. */
export async function columnsWith(sql: pg.Client, canaries: Canary[]): Promise<Record<string, string[]>> {
  const { rows: tables } = await sql.query<{ name: string; shown: string }>(
    // Of a table in parts the whole.
    `SELECT format('%I.%I', nspname, relname) AS name, relname AS shown
       FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relkind IN ('r', 'p', 'm') AND NOT relispartition
        AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
  );
  const found = Object.fromEntries(canaries.map(({ name }) => [name, new Set<string>()]));
  for (const { name, shown } of tables) {
    const { rows } = await sql.query<{ row: Record<string, unknown> }>(
      `SELECT row_to_json(t) AS row FROM ${name} t`,
    );
    for (const [column, value] of rows.flatMap(({ row }) => Object.entries(row))) {
      for (const canary of namesIn(JSON.stringify(value), canaries)) found[canary]!.add(`${shown}.${column}`);
    }
  }
  return Object.fromEntries(Object.entries(found).map(([name, places]) => [name, [...places].sort()]));
}

/** Everything under a folder: names, contents, where links lead. What is not there has nothing. */
export async function filesIn(folder: string): Promise<{ path: string; text: string }[]> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  const files = entries.map(async (entry) => {
    const path = join(folder, entry);
    const stat = await lstat(path).catch(() => null);
    const content = stat?.isSymbolicLink() ? readlink(path) : stat?.isFile() ? readFile(path, 'latin1') : '';
    return { path, text: `${entry}\n${await Promise.resolve(content).catch(() => '')}` };
  });
  return Promise.all(files);
}
