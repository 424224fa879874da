import type { ToolEvent, ToolHappening } from '../run-events.js';
import type { Decide, Decision, ToolCall } from '../tool-decision.js';
import { isAgentTool, resultText, told } from './tool-words.js';

/**
 * Every tool call of a run, once, whoever tells of it first: the CLI's messages or its question before the call.
 * The same decision is enforced and told, so that what a reader sees is what happened.
 */
export class ToolTrail {
  private readonly tools = new Map<string, { name: string; subject: string; decision: Decision }>();
  /** The subagent that a call of the Agent tool started, by the id of that call. */
  private readonly agents = new Map<string, string>();
  private readonly events: ToolEvent[] = [];

  constructor(private readonly decide: Decide) {}

  /** `agent`: the name of the subagent that calls, or the id of the call that started it. */
  call(toolUseId: string, call: ToolCall, agent?: string): Decision {
    const decision = this.decide(call);
    const subject = `${call.tool} ${String(call.input.subagent_type ?? call.input.skill ?? '')}`;
    // A model may use one id for several calls: what was decided for the first says nothing about the others.
    if (this.tools.get(toolUseId)?.subject === subject) return decision;
    this.tools.set(toolUseId, { name: call.tool, subject, decision });
    if (isAgentTool(call.tool)) this.agents.set(toolUseId, String(call.input.subagent_type ?? ''));
    if (decision.allowed) this.tell(toolUseId, agent, told(call));
    else {
      const { item, rule, message } = decision;
      this.tell(toolUseId, agent, { type: 'permission_denied', tool: call.tool, item, rule, message });
    }
    return decision;
  }

  /** The CLI refused by its own rules what we allow: a path outside the workspace, for one. */
  refusedByCli(toolUseId: string, tool: string, message: string): void {
    if (this.tools.get(toolUseId)?.decision.allowed === false) return;
    const denied = { type: 'permission_denied', tool, item: `tool:${tool}`, rule: 'cli', message } as const;
    this.tell(toolUseId, undefined, denied);
  }

  result(toolUseId: string, isError: boolean, content: unknown, agent?: string): void {
    const tool = this.tools.get(toolUseId)?.name;
    if (tool === undefined) return;
    const status = isError ? 'error' : 'ok';
    this.tell(toolUseId, agent, { type: 'tool_result', tool, status, result: resultText(content) });
  }

  /** What happened since the last time, in order. */
  take(): ToolEvent[] {
    return this.events.splice(0);
  }

  private tell(toolUseId: string, agent: string | undefined, happening: ToolHappening): void {
    const name = agent === undefined ? undefined : (this.agents.get(agent) ?? agent);
    this.events.push({ toolUseId, ...(name === undefined ? {} : { agent: name }), ...happening });
  }
}
