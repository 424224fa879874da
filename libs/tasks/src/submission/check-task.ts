import { AppError, requireAtMost } from '@app/common';
import { isPortablePath } from '../artifacts/portable-path.js';
import type { CreateTaskDto, TaskFileDto } from '../dto/create-task.dto.js';
import type { TaskInput } from '../task.js';

const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
const MOST_FILE_BYTES = 8 * MEBIBYTE;
const LONGEST_STEP = 255;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What the DTO's decorators cannot say; returns what only the run needs. */
export function checkTask(dto: CreateTaskDto): TaskInput {
  requireAtMost(MEBIBYTE, 'description', dto.description);
  requireAtMost(MEBIBYTE, 'system_prompt_append', dto.system_prompt_append);
  requireAtMost(16 * KIBIBYTE, 'metadata', dto.metadata && JSON.stringify(dto.metadata));
  requireAtMost(64 * KIBIBYTE, 'output_schema', dto.output_schema && JSON.stringify(dto.output_schema));
  return {
    context: contextOf(dto.context),
    system: dto.system_prompt_append,
    tools: dto.allow_tools,
    agents: dto.allow_agents,
    skills: dto.allow_skills,
    maxTurns: dto.max_turns,
    outputSchema: dto.output_schema,
    timeoutSeconds: oneOf('timeout', dto.timeout_seconds, dto.timeout),
    maxCostUsd: oneOf('max_cost', dto.max_cost_usd, dto.max_cost),
    files: filesOf(dto.files ?? []),
  };
}

function oneOf(alias: string, value: number | undefined, other: number | undefined): number | undefined {
  if (value !== undefined && other !== undefined) {
    const name = alias === 'timeout' ? 'timeout_seconds' : 'max_cost_usd';
    throw invalid(alias, `${alias} and ${name} are the same: send one of them`);
  }
  return value ?? other;
}

function contextOf(context: unknown): string | undefined {
  if (context === undefined) return undefined;
  if (typeof context !== 'string' && (typeof context !== 'object' || !context || Array.isArray(context))) {
    throw invalid('context', 'context must be a text or an object');
  }
  const text = typeof context === 'string' ? context : JSON.stringify(context, null, 2);
  requireAtMost(MEBIBYTE, 'context', text);
  return text;
}

/** All of them as base64. Paths are refused here and not when the task runs, hours later. */
function filesOf(files: TaskFileDto[]): TaskInput['files'] {
  const paths = new Set<string>();
  let bytes = 0;
  const checked = files.map(({ path, content, encoding = 'utf8' }, index) => {
    const at = `files.${index}`;
    checkPath(path, `${at}.path`);
    if (paths.has(path)) throw invalid(`${at}.path`, 'this path is given twice');
    paths.add(path);
    if (encoding === 'base64' && !BASE64.test(content)) {
      throw invalid(`${at}.content`, 'content is not base64');
    }
    bytes += Buffer.byteLength(content, encoding);
    return { path, base64: encoding === 'base64' ? content : Buffer.from(content).toString('base64') };
  });
  if (bytes > MOST_FILE_BYTES) {
    throw new AppError('request_too_large', 'files may have at most 8 MiB in all', { param: 'files' });
  }
  for (const [index, { path }] of files.entries()) {
    const steps = path.split('/');
    if (steps.some((_, depth) => depth > 0 && paths.has(steps.slice(0, depth).join('/')))) {
      throw invalid(`files.${index}.path`, 'a folder of this path is given as a file');
    }
  }
  return checked;
}

function checkPath(path: string, param: string): void {
  if (!isPortablePath(path)) {
    throw invalid(
      param,
      'a path must be relative, of plain steps with slashes, without control characters, and have 1 to 1,024 bytes',
    );
  }
  if (path.split('/').some((step) => Buffer.byteLength(step) > LONGEST_STEP)) {
    throw invalid(param, 'a name in a path may have at most 255 bytes');
  }
}

const invalid = (param: string, message: string) => new AppError('invalid_request', message, { param });
