export { CliExecutor } from './cli-executor.js';
export { CredentialHealth } from './credential-health.js';
export { ExecutorModule } from './executor.module.js';
export type { FinishReason, Outcome, RunEvent, ToolEvent } from './run-events.js';
export { type ModelCall, type ModelUsage, RunMeter } from './run-meter.js';
export type { AgentSpec, AgenticSpec, RunSpec, Sampling, SkillRef, WorkspaceDir } from './run-spec.js';
export { ProcessSandbox } from './sandbox/process-sandbox.js';
export { type Isolation, Sandbox } from './sandbox/sandbox.js';
export type { Decide, Decision, ToolCall } from './tool-decision.js';
