import { AppError, requireAtMost } from '@app/common';
import type { RunRequest } from '@app/runs';
import type { ChatMessageDto } from './dto/create-chat.dto.js';
import { VISIBLE } from './dto/create-completion.dto.js';

type Conversation = Pick<RunRequest, 'system' | 'history' | 'prompt'>;

const MEBIBYTE = 1024 * 1024;
const MOST_TEXTS = 1000;

/**
 * Chat messages as a run takes them: instructions, earlier turns, and what is to be answered. Each part of a
 * message is a turn of its own, and turns of one role in a row stay as they are: the model's API reads them as
 * one turn, and no separator has to be made up. Instructions are joined by line ends.
 */
export function conversationOf(messages: readonly ChatMessageDto[]): Conversation {
  const said = messages.flatMap(({ role, content }, index) =>
    textsOf(content, `messages.${index}.content`).map((text) => ({ role, content: text })),
  );
  if (said.length === 0 || said.length > MOST_TEXTS)
    throw refusal('messages', `messages must hold 1 to ${MOST_TEXTS} messages, each part counted as one`);
  requireAtMost(MEBIBYTE, 'messages', said.map(({ content }) => content).join(''));

  const system: string[] = [];
  const turns: NonNullable<RunRequest['history']>[number][] = [];
  for (const { role, content } of said) {
    if (role === 'user' || role === 'assistant') turns.push({ role, content });
    else system.push(content);
  }
  const prompt = turns.pop();
  if (!prompt || messages.at(-1)?.role !== 'user')
    throw refusal(
      `messages.${messages.length - 1}.role`,
      'the last message must be the user’s: it is answered',
    );
  return {
    ...(system.length > 0 ? { system: system.join('\n') } : {}),
    ...{ history: turns, prompt: prompt.content },
  };
}

function textsOf(content: unknown, param: string): string[] {
  if (typeof content === 'string') return [visible(content, param)];
  if (!Array.isArray(content) || content.length === 0)
    throw refusal(param, `${param} must be a text or a list of text parts`);
  return content.map((part: unknown, index) => textOf(part, `${param}.${index}`));
}

function textOf(part: unknown, param: string): string {
  if (typeof part !== 'object' || part === null) throw refusal(param, `${param} must be a text part`);
  const { type, text, ...others } = part as Record<string, unknown>;
  if (type !== 'text')
    throw refusal(`${param}.type`, `${param}.type must be text: no other part is taken yet`);
  if (typeof text !== 'string') throw refusal(`${param}.text`, `${param}.text must be a string`);
  const [other] = Object.keys(others);
  if (other !== undefined) {
    const path = `${param}.${other}`.slice(0, 256);
    throw refusal(path, `unknown field ${JSON.stringify(path)}`);
  }
  return visible(text, `${param}.text`);
}

/** The model's API takes no empty text. */
function visible(text: string, param: string): string {
  if (!VISIBLE.test(text)) throw refusal(param, `${param} must hold some text`);
  return text;
}

function refusal(param: string, message: string): AppError {
  return new AppError('invalid_request', message, { param });
}
