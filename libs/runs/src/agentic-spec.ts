import type { AgenticSpec } from '@app/executor';
import type { AgenticAsk } from './run.js';
import type { RunRights } from './run-policy.js';

const GIBIBYTE = 1024 ** 3;
/** Of a task's whole process tree: the CLI with its subagents, and what Bash starts. */
const TASK_LIMITS = { memoryBytes: 2 * GIBIBYTE, processes: 256 };

/** A task as the executor takes it: what the policy left of what was asked, in the caller's workspace. */
export function agenticSpec(
  { policy, agentic: granted }: RunRights,
  ask: AgenticAsk | undefined,
): AgenticSpec | undefined {
  if (!granted || !ask) return undefined;
  const { workspaceDir: dir, reserved, maxTurns, outputSchema } = ask;
  const workspace = { dir, writable: policy.filesystem === 'write', quotaBytes: policy.workspaceBytes };
  return { ...granted, workspace, reserved, limits: TASK_LIMITS, maxTurns, outputSchema };
}
