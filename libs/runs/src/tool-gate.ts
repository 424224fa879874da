import { type Decide, type Decision, SKILL_PLUGIN } from '@app/executor';
import type { EffectivePolicy, Refusal } from '@app/permissions';

export type ThingKind = 'tool' | 'agent' | 'skill';

/** The agent that the CLI starts when the model names none. */
const DEFAULT_AGENT = 'general-purpose';
/** Gives the answer in the shape of an output schema; does nothing else. */
const ANSWERING_TOOL = 'StructuredOutput';
const SHOWN_CHARACTERS = 100;

interface Gate {
  policy: Pick<EffectivePolicy, 'tools' | 'agents' | 'skills'>;
  hasOutputSchema: boolean;
  /** The rule that keeps a thing out, whatever this request asks for. */
  refusalOf: (kind: ThingKind, name: string) => Refusal | undefined;
}

/** Says to every call of every tool, also of a subagent, whether the policy allows it. Default: no. Pure. */
export function toolGate({ policy, hasOutputSchema, refusalOf }: Gate): Decide {
  const decide = (kind: ThingKind, given: unknown, allowed: readonly string[]): Decision => {
    const name = typeof given === 'string' ? given : '';
    if (allowed.includes(name)) return { allowed: true };
    const shown = name.slice(0, SHOWN_CHARACTERS);
    const refusal = refusalOf(kind, shown);
    return {
      allowed: false,
      item: `${kind}:${shown}`,
      rule: refusal?.rule ?? 'request',
      message: refusal?.message ?? `this request does not allow the ${kind} ${shown}`,
    };
  };
  return ({ tool, input }) => {
    switch (tool) {
      case 'Agent':
      case 'Task':
        return decide('agent', input?.subagent_type ?? DEFAULT_AGENT, policy.agents);
      case 'Skill':
        return decide('skill', withoutPrefix(input?.skill), policy.skills);
      case ANSWERING_TOOL:
        return hasOutputSchema ? { allowed: true } : decide('tool', tool, policy.tools);
      default:
        return decide('tool', tool, policy.tools);
    }
  };
}

function withoutPrefix(skill: unknown): unknown {
  return typeof skill === 'string' ? skill.replace(new RegExp(`^${SKILL_PLUGIN}:`), '') : skill;
}
