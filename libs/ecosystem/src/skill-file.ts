import type { SkillEntry } from './catalogue.js';
import { checkName, namesOf, splitFrontMatter, strippedFields, textOf } from './front-matter.js';
import { Unfit } from './unfit.js';

/** Texts that the CLI shows to the model, and fields that only take something away. */
const HONOURED = ['description', 'when_to_use', 'argument-hint', 'disallowed-tools'];
const HARMLESS = ['name', 'version', 'author', 'license', 'metadata', 'homepage', 'repository', 'keywords'];

/**
 * A skill as its SKILL.md describes it, and the SKILL.md that a run gets: only honoured fields, and no command
 * that the CLI would run by itself. Throws `Unfit`.
 */
export function readSkill(text: string, folder: string): Omit<SkillEntry, 'dir'> & { rewritten: string } {
  const { fields, body } = splitFrontMatter(text);
  const name = checkName(folder);
  if (fields.has('name')) checkName(String(fields.get('name')));
  const description = textOf(fields, 'description');
  if (!description) throw new Unfit('has no description');
  const kept = {
    name,
    description,
    when_to_use: textOf(fields, 'when_to_use'),
    'argument-hint': textOf(fields, 'argument-hint'),
    'disallowed-tools': namesOf(fields, 'disallowed-tools')?.join(', '),
  };
  const stripped = strippedFields(fields, [...HONOURED, ...HARMLESS]);
  const inert = withoutCommands(body);
  if (inert !== body) stripped.push('!`command`');
  return { name, description, stripped, rewritten: `---\n${lines(kept)}---\n\n${inert}\n` };
}

/** Each value on one line, as JSON, which is YAML too: no text can end the front matter or begin a field. */
function lines(fields: Record<string, string | undefined>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${JSON.stringify(value).replaceAll('---', '\\u002d--')}\n`)
    .join('');
}

/**
 * The CLI runs !`command` and ```! blocks while it loads a skill, before any tool is asked for. A space in
 * between leaves the text to read and takes the meaning away.
 */
function withoutCommands(body: string): string {
  return body.replaceAll('```!', '``` !').replaceAll('!`', '! `');
}
