import { isUtf8 } from 'node:buffer';
import { readFile, stat } from 'node:fs/promises';
import { basename, isAbsolute, normalize, sep } from 'node:path';
import { UsageError } from './failures.js';
import { listed } from './option-values.js';
import type { RunOptions } from './run.command.js';

export interface TaskOptions extends RunOptions {
  allowTool?: string[];
  allowAgent?: string[];
  allowSkill?: string[];
  maxCost?: number;
  maxTurns?: number;
  workspace?: string;
  file?: string[];
  systemAppend?: string;
  outputSchema?: string;
}

/** What the server takes for all files of a task. */
const MOST_BYTES = 8 * 1024 * 1024;

/** The body that asks for a task; local files are read into it. */
export async function taskRequest(description: string, options: TaskOptions): Promise<object> {
  const files = options.file?.map((path) => inputFile(path));
  return {
    description,
    allow_tools: listed(options.allowTool),
    allow_agents: listed(options.allowAgent),
    allow_skills: listed(options.allowSkill),
    model: options.model,
    timeout_seconds: options.timeout,
    max_cost_usd: options.maxCost,
    max_turns: options.maxTurns,
    workspace: options.workspace,
    files: files && (await Promise.all(files)),
    system_prompt_append: options.systemAppend,
    output_schema: options.outputSchema && (await schemaOf(options.outputSchema)),
  };
}

/** Lies in the workspace as it does here; one from elsewhere under its own name. */
async function inputFile(given: string): Promise<object> {
  const content = await contentOf('--file', given);
  const path = normalize(given);
  const inside = !isAbsolute(path) && !path.split(sep).includes('..');
  const named = inside ? path.split(sep).join('/') : basename(path);
  return isUtf8(content) && !content.includes(0)
    ? { path: named, content: content.toString('utf8') }
    : { path: named, content: content.toString('base64'), encoding: 'base64' };
}

async function schemaOf(path: string): Promise<object> {
  const text = (await contentOf('--output-schema', path)).toString('utf8');
  try {
    const schema: unknown = JSON.parse(text);
    if (typeof schema === 'object' && schema !== null && !Array.isArray(schema)) return schema;
  } catch {
    // Said below.
  }
  throw new UsageError(`--output-schema: ${path} does not hold a JSON object`);
}

async function contentOf(option: string, path: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size <= MOST_BYTES) return await readFile(path);
  } catch (error) {
    throw new UsageError(`${option}: cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
  throw new UsageError(`${option}: ${path} has more than 8 MiB, which is the most for all files of a task`);
}
