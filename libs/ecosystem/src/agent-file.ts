import type { AgentEntry } from './catalogue.js';
import { checkName, namesOf, splitFrontMatter, strippedFields, textOf } from './front-matter.js';
import { Unfit } from './unfit.js';

const HONOURED = ['name', 'description', 'tools', 'disallowedTools', 'model'];
const HARMLESS = ['color', 'version', 'author', 'license', 'metadata'];

/**
 * An agent as its file describes it, less everything that could widen what its run may do. `fallbackName`: for a
 * file that does not name it. Throws `Unfit`.
 */
export function readAgent(text: string, fallbackName: string): AgentEntry {
  const { fields, body } = splitFrontMatter(text);
  const description = textOf(fields, 'description');
  if (!description) throw new Unfit('has no description');
  if (!body) throw new Unfit('has no instructions below its front matter');
  const stripped = strippedFields(fields, [...HONOURED, ...HARMLESS]);
  const tools = namesOf(fields, 'tools');
  const wantsAll = tools?.some((tool) => tool.includes('*')) ?? false;
  if (wantsAll) stripped.push('tools: *');
  return {
    name: checkName(fields.has('name') ? String(fields.get('name')) : fallbackName),
    description,
    prompt: body,
    ...(tools && !wantsAll ? { tools } : {}),
    withoutTools: namesOf(fields, 'disallowedTools') ?? [],
    model: textOf(fields, 'model'),
    stripped,
  };
}
