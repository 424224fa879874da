import type { RunMeter } from './run-meter.js';
import type { Decide } from './tool-decision.js';

/** How the model is to sample. Set by the broker on the upstream request; absent = the CLI's own choice. */
export interface Sampling {
  maxTokens?: number;
  stop?: string[];
  temperature?: number;
  topP?: number;
}

/** One turn of a conversation: data, like the prompt. Its content holds something other than white space. */
export interface Turn {
  role: 'user' | 'assistant';
  content: string;
}

/** One run of the CLI. Knows nothing of keys, users or money. */
export interface RunSpec {
  runId: string;
  /** Data: reaches the model as written, whatever it looks like. */
  prompt: string;
  /** What was said before the prompt, in order, by whomever. */
  history?: readonly Turn[];
  system?: string;
  /** A full model id. */
  model: string;
  sampling: Sampling;
  limits: { deadlineMs: number };
  meter: RunMeter;
  /** Present for a task: real tools in a workspace. Absent = one prompt, one answer, no tools. */
  agentic?: AgenticSpec;
}

/** What a task adds to a run. Lists are what the policy left: nothing else reaches the CLI. */
export interface AgenticSpec {
  /** Built-in tools by name, without Agent and Skill: those follow from the lists below. */
  tools: string[];
  agents: AgentSpec[];
  skills: SkillRef[];
  /** Full ids that subagents may call besides the run's own model. */
  models: string[];
  workspace: WorkspaceDir;
  /** Of the whole process tree. */
  limits: { memoryBytes: number; processes: number };
  maxTurns?: number;
  /** JSON Schema that the final answer has to fit. */
  outputSchema?: Record<string, unknown>;
  /** Asked before every tool call; pure. */
  decide: Decide;
}

export interface AgentSpec {
  name: string;
  description: string;
  prompt: string;
  /** Left out = those of the run. */
  tools?: string[];
  /** A family or `inherit`; left out = the run's own model. */
  model?: string;
}

/** A skill's folder with its SKILL.md, already vetted: copied as it is, read-only for the run. */
export interface SkillRef {
  name: string;
  dir: string;
}

/** A folder of the host that is the run's working folder. */
export interface WorkspaceDir {
  dir: string;
  writable: boolean;
  /** The run is ended as `workspace_full` above this. */
  quotaBytes: number;
}
