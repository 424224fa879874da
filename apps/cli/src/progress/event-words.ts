import { oneLine } from '../printable.js';

/** An event as the API tells it. */
export interface ToldEvent {
  type: string;
  seq: number;
  timestamp: string;
  [field: string]: unknown;
}

/** Of a tool's arguments those that say what it is about, the best one first. */
const SUBJECTS = ['command', 'pattern', 'file_path', 'notebook_path', 'path', 'url', 'query', 'description'];

const WORDS: Record<string, (event: ToldEvent) => string> = {
  queued: ({ position }) => `waiting, number ${position} in line`,
  started: ({ model }) => `started with ${model}`,
  tool_call: ({ tool, arguments: input }) => `${tool}  ${subjectOf(input)}`,
  tool_result: ({ tool, status, result }) =>
    status === 'error' ? `${tool} failed: ${textOf(result)}` : `${tool}  ${textOf(result)}`,
  agent_spawn: ({ agent, reason }) => `${agent}: ${textOf(reason)}`,
  skill_invoke: ({ skill, input }) => `skill ${skill}  ${textOf(input)}`,
  permission_denied: ({ tool, message, rule }) => `${tool} denied by ${rule}: ${message}`,
  usage: ({ model, input_tokens, output_tokens, cost_usd }) =>
    `${model}  ${input_tokens} in, ${output_tokens} out  $${cost_usd} so far`,
  retry: ({ attempt, upstream_status }) =>
    `the model’s API answered ${upstream_status}, attempt ${attempt} follows`,
  result: ({ status, summary }) => [status, textOf(summary)].filter(Boolean).join(': '),
};

/** What an event tells, as one line of any length. */
export function wordsOf(event: ToldEvent): string {
  const words = WORDS[event.type]?.(event) ?? textOf(event.content);
  // The one of a spawn is who is sent.
  const who = event.type === 'agent_spawn' ? event.spawned_by : event.agent;
  return oneLine(who ? `${textOf(who)}: ${words}` : words);
}

/** What is done from now on; undefined when the event does not change it. */
export function activityOf(event: ToldEvent): string | undefined {
  if (event.type === 'thinking' || event.type === 'token') {
    const doing = event.type === 'thinking' ? 'thinking' : 'writing';
    return event.agent ? oneLine(`${textOf(event.agent)}: ${doing}`) : doing;
  }
  if (event.type === 'tool_result' && event.status !== 'error') return undefined;
  return event.type in WORDS && !NOTHING_NEW.has(event.type) ? wordsOf(event) : undefined;
}

const NOTHING_NEW = new Set(['usage', 'result']);

function subjectOf(input: unknown): string {
  const given = (input ?? {}) as Record<string, unknown>;
  const name = SUBJECTS.find((subject) => typeof given[subject] === 'string');
  return textOf(name ? given[name] : Object.values(given)[0]);
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
