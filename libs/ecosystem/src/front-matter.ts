import { parseDocument } from 'yaml';
import { Unfit } from './unfit.js';

export type Fields = ReadonlyMap<unknown, unknown>;

const MOST_CHARACTERS = 32 * 1024;
const OPTIONS = {
  schema: 'core',
  resolveKnownTags: false,
  logLevel: 'silent',
  prettyErrors: false,
} as const;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Splits a file at its `---` lines and reads what is between them as plain YAML data: no tags, no aliases, no
 * code. Throws `Unfit` for everything else.
 */
export function splitFrontMatter(text: string): { fields: Fields; body: string } {
  const [, yaml, body = ''] = /^---[ \t]*\n([^]*?)(?:^|\n)---[ \t]*(?:\n([^]*))?$/.exec(text) ?? [];
  if (yaml === undefined) throw new Unfit('has no front matter');
  if (yaml.length > MOST_CHARACTERS)
    throw new Unfit(`has more than ${MOST_CHARACTERS} characters of front matter`);
  return { fields: parseFields(yaml), body: body.trim() };
}

function parseFields(yaml: string): Fields {
  let fields: unknown;
  try {
    const document = parseDocument(yaml, OPTIONS);
    // An unknown tag is a warning to the library: its value would be taken as if the tag were not there.
    const [fault] = [...document.errors, ...document.warnings];
    if (fault) throw fault;
    fields = document.toJS({ maxAliasCount: 0, mapAsMap: true });
  } catch {
    throw new Unfit('has front matter that is not plain YAML without tags and aliases');
  }
  if (!(fields instanceof Map)) throw new Unfit('has front matter without fields');
  return fields;
}

/** The text of a field; undefined when it is not there, empty or not a text. */
export function textOf(fields: Fields, name: string): string | undefined {
  const value = fields.get(name);
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

/** A list of names, written as a YAML list or with commas; undefined when the field is not there. */
export function namesOf(fields: Fields, name: string): string[] | undefined {
  const value = fields.get(name);
  if (value === undefined || value === null) return undefined;
  const parts: unknown[] =
    typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [value];
  return parts.map((part) => String(part).trim()).filter((part) => part !== '');
}

/** Throws `Unfit` for a name that could be mistaken for a path, an option or several names. */
export function checkName(name: string): string {
  if (!NAME.test(name)) {
    throw new Unfit(
      'has a name other than 1 to 64 letters, digits, ".", "_" and "-", a letter or digit first',
    );
  }
  return name;
}

/** Every field that is neither honoured nor harmless, as written. */
export function strippedFields(fields: Fields, known: readonly string[]): string[] {
  return [...fields.keys()].map((key) => String(key).slice(0, 64)).filter((key) => !known.includes(key));
}
