import type { TaskReservation } from '@app/executor';
import type { EffectivePolicy } from '@app/permissions';
import { EffectivePolicyDto, type RunProgress, type RunRequest } from '@app/runs';
import { clipped, storable } from '../storable.js';
import type { NewTaskEvent } from '../task-event.js';
import type { Claim, TaskInput } from '../task.js';

/** Of each string in an event. */
const LONGEST = 16 * 1024;
const LONGEST_SUMMARY = 1_000;

/** What a task asks of a run. Context is data: it stands before the description, under a heading of its own. */
export function runRequestOf(
  claim: Claim,
  input: TaskInput,
  workspaceDir: string,
  reserved?: TaskReservation,
): RunRequest {
  const { tools, agents, skills, maxTurns, outputSchema } = input;
  return {
    kind: 'task',
    prompt: input.context
      ? `# Context\n\n${input.context}\n\n# Task\n\n${claim.description}`
      : claim.description,
    system: input.system,
    model: claim.model,
    sampling: {},
    timeoutSeconds: input.timeoutSeconds,
    maxCostUsd: input.maxCostUsd,
    metadata: claim.metadata ?? undefined,
    requestId: claim.request_id ?? undefined,
    agentic: { tools, agents, skills, maxTurns, outputSchema, workspaceDir, reserved },
  };
}

type Told = Exclude<RunProgress, { type: 'ended' }>;

/** What a run tells, in the API's words and as it can be stored. */
export function eventOf(progress: Told, policy: EffectivePolicy): NewTaskEvent {
  return { type: progress.type, data: storable(dataOf(progress, policy), LONGEST) };
}

function dataOf(progress: Told, policy: EffectivePolicy): Record<string, unknown> {
  switch (progress.type) {
    case 'started':
      return { model: progress.model, effective_policy: EffectivePolicyDto.from(policy) };
    case 'thinking':
    case 'token':
      return { content: progress.content };
    case 'retry':
      return { attempt: progress.attempt, upstream_status: progress.upstreamStatus };
    case 'usage':
      return usageData(progress);
    case 'agent_spawn': {
      const { toolUseId, agent, spawned, reason } = progress;
      return { tool_use_id: toolUseId, agent: spawned, reason, ...(agent ? { spawned_by: agent } : {}) };
    }
    default: {
      const { type: _, toolUseId, ...rest } = progress;
      return { tool_use_id: toolUseId, ...rest };
    }
  }
}

function usageData({ usage, costUsd }: Extract<Told, { type: 'usage' }>): Record<string, unknown> {
  return {
    model: usage.model,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cache_read_input_tokens: usage.cacheReadTokens,
    cache_creation_input_tokens:
      usage.cacheWrite5mTokens === null || usage.cacheWrite1hTokens === null
        ? null
        : usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
    cost_usd: costUsd,
  };
}

/** The beginning of the final text: its first paragraph. */
export function summaryOf(text: string): string {
  const [first = ''] = text.trim().split(/\n\s*\n/, 1);
  return clipped(first, LONGEST_SUMMARY);
}
