import { AppError, requireModel } from '@app/common';
import { TOOLS_THAT_FOLLOW } from '@app/ecosystem';
import type { Available, EffectivePolicy } from '@app/permissions';
import { closestName } from './closest-name.js';

const SHOWN_CHARACTERS = 100;

interface AskedNames {
  model: string;
  tools?: readonly string[];
  agents?: readonly string[];
  skills?: readonly string[];
}

/**
 * Throws `invalid_request` for the first name that means nothing here, with the field and its place in it.
 * `usable`: what this caller gets without asking; nothing else is suggested to it.
 */
export function checkAskedNames(
  asked: AskedNames,
  available: Available,
  usable: Pick<EffectivePolicy, 'tools' | 'agents' | 'skills' | 'models'>,
): void {
  requireModel(asked.model, () => hint(asked.model, usable.models));
  const tools = available.tools.map(({ name }) => name);
  check('tool', 'allow_tools', asked.tools, tools, usable.tools);
  check('agent', 'allow_agents', asked.agents, available.agents, usable.agents);
  check('skill', 'allow_skills', asked.skills, available.skills, usable.skills);
}

function check(
  kind: string,
  field: string,
  asked: readonly string[] = [],
  known: readonly string[],
  usable: readonly string[],
): void {
  for (const [index, name] of asked.entries()) {
    if (known.includes(name)) continue;
    const param = `${field}.${index}`;
    const shown = JSON.stringify(name.slice(0, SHOWN_CHARACTERS));
    if (kind === 'tool' && Object.hasOwn(TOOLS_THAT_FOLLOW, name)) {
      throw invalid(param, `the tool ${name} comes with ${TOOLS_THAT_FOLLOW[name]}: leave it out here`);
    }
    throw invalid(param, `there is no ${kind} ${shown}${hint(name, usable)}`);
  }
}

function hint(name: string, usable: readonly string[]): string {
  const meant = closestName(name.slice(0, SHOWN_CHARACTERS), usable);
  return meant === undefined ? '' : `; did you mean ${meant}?`;
}

function invalid(param: string, message: string): AppError {
  return new AppError('invalid_request', message, { param });
}
