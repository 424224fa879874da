import type { ToolHappening } from '../run-events.js';
import type { ToolCall } from '../tool-decision.js';
import { SKILL_PLUGIN } from './skill-plugin.js';

/** A reader gets this much of a tool's result; the model saw the whole. */
const LONGEST_RESULT = 16_384;

/** The CLI offers it as Agent and lists it as Task. */
export function isAgentTool(tool: string): boolean {
  return tool === 'Agent' || tool === 'Task';
}

/** What an allowed call is, in the words of the event log. */
export function told({ tool, input }: ToolCall): ToolHappening {
  if (isAgentTool(tool)) {
    const reason = String(input.description ?? '');
    return { type: 'agent_spawn', spawned: String(input.subagent_type ?? ''), reason };
  }
  if (tool === 'Skill') {
    const skill = String(input.skill ?? '').replace(`${SKILL_PLUGIN}:`, '');
    return { type: 'skill_invoke', skill, input: String(input.args ?? '') };
  }
  return { type: 'tool_call', tool, arguments: input };
}

/** The text of a tool's result, which is a string or a list of blocks. */
export function resultText(content: unknown): string {
  const parts = Array.isArray(content) ? content : [content];
  const text = parts.map(partText).join('\n');
  if (text.length <= LONGEST_RESULT) return text;
  return `${text.slice(0, LONGEST_RESULT)}\n… (${text.length - LONGEST_RESULT} more characters)`;
}

function partText(part: unknown): string {
  if (typeof part === 'string') return part;
  const { type, text } = (part ?? {}) as { type?: string; text?: unknown };
  return typeof text === 'string' ? text : `[${type ?? 'nothing'}]`;
}
