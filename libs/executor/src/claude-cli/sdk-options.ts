import type { Options } from '@anthropic-ai/claude-agent-sdk';
import type { ModelCredential } from '@app/config';
import type { AgenticSpec, RunSpec } from '../run-spec.js';
import type { BoxView } from '../sandbox/sandbox.js';
import { agenticOptions } from './agentic-options.js';
import { transcribed } from './earlier-turns.js';
import type { ToolTrail } from './tool-trail.js';

/** The CLI's own tries after a failed call. Few: a caller with a deadline waits, and can try again itself. */
const CLI_RETRIES = 2;

/** What is true for every run, whatever the request says (executor.md, facts 1, 2 and 8). */
export const ALWAYS = {
  strictMcpConfig: true,
  permissionMode: 'dontAsk',
  persistSession: false,
  includePartialMessages: true,
  verbatimPrompts: true,
  extraArgs: { restricted: null },
  settings: {
    blockReadsOutsideWorkingDirectories: true,
    blockWritesOutsideWorkingDirectories: true,
    disableSkillShellExecution: true,
    disableBundledSkills: true,
  },
} as const satisfies Options;

export function sdkOptions(
  spec: RunSpec,
  view: BoxView,
  cliPath: string | undefined,
  trail: ToolTrail,
): Options {
  return {
    ...ALWAYS,
    settingSources: [],
    cwd: view.workDir,
    model: spec.model,
    ...(transcribed(spec).length > 0 ? { resume: view.transcriptPath } : {}),
    ...(cliPath ? { pathToClaudeCodeExecutable: cliPath } : {}),
    ...(spec.agentic
      ? {
          systemPrompt: { type: 'preset', preset: 'claude_code', append: spec.system },
          ...agenticOptions(spec.agentic, view, () => trail),
        }
      : { systemPrompt: spec.system ?? '', tools: [] }),
  };
}

/** The same for a process that waits for a task: without what a task brings along, which its claim sets. */
export function spareOptions(
  { model, agentic }: Pick<RunSpec, 'model'> & { agentic: Omit<AgenticSpec, 'workspace'> },
  view: BoxView,
  cliPath: string | undefined,
  trail: () => ToolTrail,
): Options {
  const { agents: _, ...fixed } = agenticOptions(agentic, view, trail);
  return {
    ...ALWAYS,
    ...{ settingSources: [], cwd: view.workDir, model },
    ...(cliPath ? { pathToClaudeCodeExecutable: cliPath } : {}),
    systemPrompt: { type: 'preset', preset: 'claude_code' },
    ...fixed,
  };
}

interface CliUse {
  kind: ModelCredential['kind'];
  isText: boolean;
  isKept: boolean;
}

/**
 * For a process that serves many runs: its code is compiled after a quarter of the usual calls, not by the last,
 * slowest compiler, and is not thrown away when it rests. After a hundred turns, each takes a fifth less of the CPU,
 * the first after a rest a third less; a start takes a fifth more.
 */
const COMPILED_EARLY = {
  BUN_JSC_jitPolicyScale: '0.25',
  BUN_JSC_useFTLJIT: '0',
  BUN_JSC_forceCodeBlockLiveness: '1',
};

/** Everything that the CLI is told beyond the inherited allow-list. Its only secret is the run's own token. */
export function cliEnvironment(
  view: BoxView,
  token: string,
  { kind, isText, isKept }: CliUse,
): Record<string, string> {
  return {
    HOME: view.home,
    USERPROFILE: view.home,
    TMPDIR: view.tmpDir,
    CLAUDE_CODE_TMPDIR: view.tmpDir,
    CLAUDE_CONFIG_DIR: view.configDir,
    ANTHROPIC_BASE_URL: view.brokerUrl,
    // The CLI sends other headers for each kind of login; the broker swaps the value, not the kind.
    [TOKEN_VARIABLE[kind]]: token,
    CLAUDE_CODE_MAX_RETRIES: String(CLI_RETRIES),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
    CLAUDE_AGENT_SDK_DISABLE_BUILTIN_AGENTS: '1',
    DISABLE_AUTOUPDATER: '1',
    // It marks a request by its first words, and is for those who log in with a subscription: any other proxy that
    // puts something before those words leaves it out as well.
    ...(kind === 'oauth_token' ? {} : { CLAUDE_CODE_ATTRIBUTION_HEADER: '0' }),
    // Leaves out what a text run has no use for (memory files, hooks, plugins, prefetches): a seventh of its time. For
    // those who log in with a key only.
    ...(isText && kind === 'api_key' ? { CLAUDE_CODE_SIMPLE: '1' } : {}),
    ...(isKept ? COMPILED_EARLY : {}),
    // Else an older Opus is silently answered by the current one, at another price.
    CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP: '1',
  };
}

const TOKEN_VARIABLE: Record<ModelCredential['kind'], string> = {
  api_key: 'ANTHROPIC_API_KEY',
  auth_token: 'ANTHROPIC_AUTH_TOKEN',
  oauth_token: 'CLAUDE_CODE_OAUTH_TOKEN',
};
