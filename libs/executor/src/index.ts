export { CliExecutor } from './cli-executor.js';
export { CredentialHealth } from './credential-health.js';
export { ExecutorModule } from './executor.module.js';
export type { FinishReason, Outcome, RunEvent } from './run-events.js';
export { type ModelCall, type ModelUsage, RunMeter } from './run-meter.js';
export type { RunSpec, Sampling } from './run-spec.js';
export { type Isolation, ProcessSandbox } from './sandbox/process-sandbox.js';
