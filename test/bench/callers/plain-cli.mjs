// What the CLI is told by those who use it without the service: nothing of the developer's environment or settings, no
// tools, a home of its own.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const MODEL = 'claude-haiku-5-5';

const { resolve } = createRequire(import.meta.url);
const shipped = `@anthropic-ai/claude-agent-sdk-${process.platform}-${process.arch}/package.json`;
/** The program that the Agent SDK ships. */
export const cliPath = () => join(dirname(resolve(shipped)), 'claude');

export function plainHome(modelUrl) {
  const home = mkdtempSync(join(tmpdir(), 'bench-cli-'));
  const cwd = join(home, 'work');
  mkdirSync(cwd);
  return {
    cwd,
    env: {
      ...{ PATH: process.env.PATH, HOME: home, CLAUDE_CONFIG_DIR: home, ANTHROPIC_API_KEY: 'bench' },
      ...{ ANTHROPIC_BASE_URL: modelUrl, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' },
    },
    remove: () => rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }),
  };
}

export const plainOptions = ({ cwd, env }) => ({
  ...{ settingSources: [], tools: [], systemPrompt: '', model: MODEL, cwd, env },
  ...{ includePartialMessages: true, persistSession: false, extraArgs: { restricted: null } },
});

export const isText = ({ type, event }) =>
  type === 'stream_event' && event.type === 'content_block_delta' && event.delta.type === 'text_delta';

/** One home for each client, made when there is one more. */
export function homesOf(modelUrl) {
  const homes = [];
  return {
    prepare: (clients) => {
      while (homes.length < clients) homes.push(plainHome(modelUrl));
    },
    of: (client) => homes[client],
    close: () => homes.forEach(({ remove }) => remove()),
  };
}
