import type { RunMeter } from './run-meter.js';

/** How the model is to sample. Set by the broker on the upstream request; absent = the CLI's own choice. */
export interface Sampling {
  maxTokens?: number;
  stop?: string[];
  temperature?: number;
  topP?: number;
}

/** One run of the CLI. Knows nothing of keys, users or money. */
export interface RunSpec {
  runId: string;
  /** Data: reaches the model as written, whatever it looks like. */
  prompt: string;
  system?: string;
  /** A full model id. */
  model: string;
  sampling: Sampling;
  limits: { deadlineMs: number };
  meter: RunMeter;
}
