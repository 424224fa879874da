import type { HookCallback, Options } from '@anthropic-ai/claude-agent-sdk';
import { CURRENT_MODELS, type ModelFamily } from '@app/common';
import type { AgenticSpec, AgentSpec } from '../run-spec.js';
import type { BoxView } from '../sandbox/sandbox.js';
import { SKILL_PLUGIN } from './skill-plugin.js';
import type { ToolTrail } from './tool-trail.js';

/** What a task adds to the options of every run: exactly the granted tools, agents and skills. */
export function agenticOptions(
  agentic: Omit<AgenticSpec, 'workspace'>,
  view: BoxView,
  trail: () => ToolTrail,
): Partial<Options> {
  const { tools, agents, skills, maxTurns, outputSchema } = agentic;
  return {
    tools: [...tools, ...(agents.length > 0 ? ['Agent'] : []), ...(skills.length > 0 ? ['Skill'] : [])],
    agents: agentDefinitions(agents),
    skills: skills.map(({ name }) => `${SKILL_PLUGIN}:${name}`),
    ...(skills.length > 0 ? { plugins: [{ type: 'local' as const, path: view.pluginDir }] } : {}),
    ...(maxTurns === undefined ? {} : { maxTurns }),
    ...(outputSchema ? { outputFormat: { type: 'json_schema' as const, schema: outputSchema } } : {}),
    hooks: { PreToolUse: [{ hooks: [askTrail(trail)] }] },
  };
}

export function agentDefinitions(agents: readonly AgentSpec[]): NonNullable<Options['agents']> {
  return Object.fromEntries(agents.map((agent) => [agent.name, definitionOf(agent)]));
}

/** A subagent never has a tool of its own, and never runs on after its caller. */
function definitionOf({ description, prompt, tools, model }: AgentSpec) {
  const ids: Partial<Record<string, string>> = CURRENT_MODELS satisfies Record<ModelFamily, string>;
  return {
    ...{ description, prompt, background: false },
    ...(tools ? { tools } : {}),
    model: (model && ids[model]) ?? 'inherit',
  };
}

function verdict(permissionDecision: 'allow' | 'deny', permissionDecisionReason: string) {
  const hookEventName = 'PreToolUse' as const;
  return { hookSpecificOutput: { hookEventName, permissionDecision, permissionDecisionReason } };
}

/** Fails closed: an answer that is no JSON verdict would let the tool run, so this never throws. */
function askTrail(trail: () => ToolTrail): HookCallback {
  return async (asked) => {
    try {
      if (asked.hook_event_name !== 'PreToolUse') return verdict('deny', 'not a tool call');
      const input = (asked.tool_input ?? {}) as Record<string, unknown>;
      const decision = trail().call(asked.tool_use_id, { tool: asked.tool_name, input }, asked.agent_type);
      return decision.allowed
        ? verdict('allow', 'granted by the policy of this task')
        : verdict('deny', decision.message);
    } catch {
      return verdict('deny', 'the policy of this task could not be asked');
    }
  };
}
