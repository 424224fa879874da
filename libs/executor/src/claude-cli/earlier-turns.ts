import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';
import type { RunSpec, Turn } from '../run-spec.js';

type Conversation = Pick<RunSpec, 'history' | 'prompt'>;
type TextBlock = { type: 'text'; text: string };
type Message = { role: Turn['role']; content: TextBlock[] };

/** The CLI passes over a transcript without times, and tells them to nobody. */
const SOME_TIME = new Date(0).toISOString();

/** Answers that the CLI takes for "nothing was said", and would leave out. */
const TAKEN_FOR_NOTHING = ['(no content)', '[Empty text removed]'];

/**
 * The turns that reach the CLI as the transcript of a session to resume: up to the last answer. The CLI would
 * put an answer of its own behind a transcript that ends with a question.
 */
export function transcribed({ history = [] }: Conversation): readonly Turn[] {
  return history.slice(0, lastAnswer(history) + 1);
}

/** The prompt, behind what else was said since the last answer. */
export function saidNow({ history = [], prompt }: Conversation): string | AsyncIterable<SDKUserMessage> {
  const before = history.slice(lastAnswer(history) + 1);
  return before.length === 0 ? prompt : oneMessage([...before, { role: 'user', content: prompt }]);
}

/** Writes the transcript, for nobody else to read. Nothing to transcribe = no file. */
export async function writeTranscript(path: string, conversation: Conversation): Promise<void> {
  const turns = transcribed(conversation);
  if (turns.length === 0) return;
  await writeFile(path, transcriptOf(turns), { mode: 0o600, flag: 'wx' });
}

/** One JSON text per line, each naming the one before it: the CLI follows this chain from its end. */
function transcriptOf(turns: readonly Turn[]): string {
  let parentUuid: string | null = null;
  let transcript = '';
  for (const message of messagesOf(turns)) {
    const uuid: string = randomUUID();
    const entry = { type: message.role, uuid, parentUuid, timestamp: SOME_TIME, message };
    transcript += `${JSON.stringify(entry)}\n`;
    parentUuid = uuid;
  }
  return transcript;
}

async function* oneMessage(turns: readonly Turn[]): AsyncGenerator<SDKUserMessage> {
  const content = turns.flatMap(blocksOf);
  yield { type: 'user', message: { role: 'user', content }, parent_tool_use_id: null };
}

/**
 * Consecutive turns of one role are blocks of one message: the model's API reads them as that, and the CLI,
 * left to join them, would put line ends between.
 */
function messagesOf(turns: readonly Turn[]): Message[] {
  const messages: Message[] = [];
  for (const turn of turns) {
    const last = messages.at(-1);
    if (last?.role === turn.role) last.content.push(...blocksOf(turn));
    else messages.push({ role: turn.role, content: blocksOf(turn) });
  }
  return messages;
}

function blocksOf({ role, content }: Turn): TextBlock[] {
  if (role === 'user' || !TAKEN_FOR_NOTHING.includes(content.trim()))
    return [{ type: 'text', text: content }];
  // In two blocks it is a text like any other.
  const middle = content.length - content.trimStart().length + 1;
  return [content.slice(0, middle), content.slice(middle)].map((text) => ({ type: 'text', text }));
}

function lastAnswer(history: readonly Turn[]): number {
  return history.findLastIndex(({ role }) => role === 'assistant');
}
