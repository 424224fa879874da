import type { TaskDto, TaskListDto } from '@app/tasks';
import { cut, oneLine, printable } from './printable.js';
import { bytes, dollars, seconds } from './progress/amounts.js';
import { fields, table } from './table.js';
import type { Answer } from './verb.command.js';

/** Of a description, which may have a megabyte. */
const IN_A_LIST = 50;
const ALONE = 500;

export function taskPage(json: TaskListDto, interactive: boolean): Answer {
  const note = json.next_cursor ? `there are more: --cursor ${json.next_cursor}` : undefined;
  if (json.data.length === 0) return { json, text: '', note: 'no tasks' };
  // The operator sees those of several projects.
  const several = json.data.some((task) => task.project_id !== undefined);
  const head = ['id', ...(several ? ['project'] : []), 'status', 'created', 'model', 'cost', 'description'];
  const rows = json.data.map((task) => [
    task.id,
    ...(several ? [task.project_id ?? null] : []),
    ...[task.status, task.created_at, task.model, task.cost_usd === null ? null : dollars(task.cost_usd)],
    cut(oneLine(task.description), IN_A_LIST),
  ]);
  return { json, text: table(head, rows, interactive), note };
}

export function oneTask(json: TaskDto, interactive: boolean): Answer {
  const { execution_log: log, artifacts, denials, timing, usage, error, ...task } = json;
  const text = fields({
    id: task.id,
    ...(task.project_id ? { project: task.project_id } : {}),
    status: task.queue_position ? `${task.status}, number ${task.queue_position} in line` : task.status,
    description: cut(oneLine(task.description), ALONE),
    ...{ model: task.model, workspace: task.workspace, metadata: task.metadata },
    ...{ created: task.created_at, started: task.started_at, finished: task.finished_at },
    took: timing && seconds(timing.total_ms),
    cost: dollars(task.cost_usd),
    tokens: usage && `${usage.input_tokens ?? '?'} in, ${usage.output_tokens ?? '?'} out`,
    events: log?.length,
    error: error && `${error.code}: ${error.message}`,
    artifacts: artifacts.map(({ path, size_bytes }) => `${path} (${bytes(size_bytes)})`),
    denials: denials.map(({ message, rule }) => `${message} (${rule})`),
  });
  const output = outputOf(json, interactive);
  return { json, text: output ? `${text}\n\n${output}` : text };
}

/** What a task that has ended came to; `url` is the server's. */
export function endedTask(json: TaskDto, url: string, interactive: boolean): Answer {
  const { status, result, error, timing, cost_usd, model, artifacts, denials } = json;
  const took = timing && seconds(timing.queue_ms + timing.total_ms);
  const kept = artifacts.map(({ path, size_bytes, url: where }) =>
    oneLine(`artifact: ${path}, ${bytes(size_bytes)}: ${url}${where}`),
  );
  const fetched = `fetch it: curl -H "Authorization: Bearer $CLAUDE_API_KEY" -O <url>; all of them: ${url}/v1/tasks/${json.id}/artifacts.zip`;
  const skipped = result?.skipped_files ?? [];
  return {
    json,
    text: outputOf(json, interactive),
    note: [
      [status, took, dollars(cost_usd), model, json.id].filter(Boolean).join(' · '),
      ...kept,
      ...(kept.length > 0 ? [fetched] : []),
      ...skipped.map(({ reason, count }) => `not kept: ${count} files (${reason})`),
      ...denials.map(({ message, rule }) => oneLine(`denied: ${message} (${rule})`)),
    ].join('\n'),
    failed: status !== 'succeeded',
    reason: status === 'succeeded' ? undefined : oneLine(reasonOf(status, error)),
  };
}

/** The data that was asked for, else the model's last words. */
function outputOf({ result }: TaskDto, interactive: boolean): string {
  const { structured_output: data, output = '' } = result ?? {};
  const text = data === null || data === undefined ? output.replace(/\n$/, '') : JSON.stringify(data);
  return interactive ? printable(text) : text;
}

function reasonOf(status: string, error: TaskDto['error']): string {
  return error
    ? `the task ${phrase(status)}: ${error.message} (${error.code})`
    : `the task ${phrase(status)}`;
}

const phrase = (status: string): string => (status === 'failed' ? status : `is ${status}`);
