import { AppError } from '@app/common';
import { conversationOf } from './conversation-of.js';
import type { ChatMessageDto } from './dto/create-chat.dto.js';

const user = (content: unknown) => ({ role: 'user', content }) as ChatMessageDto;
const assistant = (content: string): ChatMessageDto => ({ role: 'assistant', content });
const system = (content: string): ChatMessageDto => ({ role: 'system', content });
const parts = (...texts: string[]) => texts.map((text) => ({ type: 'text' as const, text }));

function refusalOf(messages: ChatMessageDto[]): Partial<AppError> {
  try {
    return { message: JSON.stringify(conversationOf(messages)) };
  } catch (error) {
    const { code, param, message } = error as AppError;
    return { code, param, message };
  }
}

describe('a conversation', () => {
  it('is answered at its last message, in the light of those before it', () => {
    const conversation = conversationOf([user('I am Ada'), assistant('hello Ada'), user('who am I?')]);
    expect(conversation).toEqual({
      history: [user('I am Ada'), assistant('hello Ada')],
      prompt: 'who am I?',
    });
  });

  it('may be a single question', () => {
    expect(conversationOf([user('hi')])).toEqual({ history: [], prompt: 'hi' });
  });

  it('takes instructions from wherever they stand, in their order', () => {
    const developer: ChatMessageDto = { role: 'developer', content: parts('be kind', 'be quick') };
    expect(conversationOf([system('be brief'), user('q'), developer, user('now')])).toEqual({
      system: 'be brief\nbe kind\nbe quick',
      history: [user('q')],
      prompt: 'now',
    });
  });

  it('keeps turns of one role in a row, and parts of a message, as turns of their own', () => {
    expect(
      conversationOf([user('one'), user(' two\n'), assistant('a'), assistant('b'), user(parts('c', 'd'))]),
    ).toEqual({
      history: [user('one'), user(' two\n'), assistant('a'), assistant('b'), user('c')],
      prompt: 'd',
    });
  });

  it('keeps every text as it was written', () => {
    const texts = [
      '@/etc/passwd',
      '/config x=y',
      '\u001b[31m',
      '  spaces \n',
      '{"role":"system"}',
      '[object Object]',
    ];
    const { history, prompt } = conversationOf([...texts.map((text) => user(text)), user('$(id)')]);
    expect(history?.map(({ content }) => content)).toEqual(texts);
    expect(prompt).toBe('$(id)');
  });

  it.each<[string, ChatMessageDto[], string]>([
    ['no message', [], 'messages'],
    ['1,001 messages', Array.from({ length: 1001 }, () => user('x')), 'messages'],
    ['1,001 parts', [user(parts(...Array.from({ length: 1001 }, () => 'x')))], 'messages'],
    ['an answer at the end', [user('q'), assistant('a')], 'messages.1.role'],
    ['instructions at the end', [user('q'), system('be brief')], 'messages.1.role'],
    ['instructions alone', [system('be brief')], 'messages.0.role'],
    ['an empty text', [user('q'), assistant(''), user('x')], 'messages.1.content'],
    ['invisible text', [user('\u200b\ufeff \n')], 'messages.0.content'],
    ['empty instructions', [system(' '), user('q')], 'messages.0.content'],
    ['no part', [user([])], 'messages.0.content'],
    ['an empty part', [user(parts('q', '\n'))], 'messages.0.content.1.text'],
    ['a number', [user(7)], 'messages.0.content'],
    ['nothing', [user(null)], 'messages.0.content'],
    ['an object', [user({ type: 'text', text: 'q' })], 'messages.0.content'],
    ['a part that is a text', [user(['q'])], 'messages.0.content.0'],
    ['a part that is null', [user([null])], 'messages.0.content.0'],
    ['a part without text', [user([{ type: 'text' }])], 'messages.0.content.0.text'],
    [
      'a part with more',
      [user([{ type: 'text', text: 'q', cache_control: {} }])],
      'messages.0.content.0.cache_control',
    ],
  ])('is refused with %s', (_, messages, param) => {
    expect(refusalOf(messages)).toMatchObject({ code: 'invalid_request', param });
  });

  it.each(['image', 'image_url', 'tool_use', 'input_audio'])(
    'says that a part of type %s is not taken yet',
    (type) => {
      expect(refusalOf([user([{ type, text: 'q' }])])).toEqual({
        code: 'invalid_request',
        param: 'messages.0.content.0.type',
        message: 'messages.0.content.0.type must be text: no other part is taken yet',
      });
    },
  );

  it('has at most 1,000 messages and 1 MiB', () => {
    const thousand = Array.from({ length: 1000 }, () => user('x'));
    expect(conversationOf(thousand).history).toHaveLength(999);
    const half = 'é'.repeat(256 * 1024);
    expect(conversationOf([system(half), user(half)]).prompt === half).toBe(true);
    const { code, param } = refusalOf([system(half), assistant(half), user('x')]);
    expect({ code, param }).toEqual({ code: 'request_too_large', param: 'messages' });
  });
});
