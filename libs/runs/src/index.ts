export { Idempotency, type IdempotencyTicket } from './idempotency.service.js';
export { routeModel } from './model-routing.js';
export type { AgenticAsk, Run, RunProgress, RunRequest, RunResult } from './run.js';
export { RunPolicy } from './run-policy.js';
export { RunsModule } from './runs.module.js';
export { Runs } from './runs.service.js';
