import { randomUUID } from 'node:crypto';
import { KeyVerifier } from '@app/auth';
import { AppError, type Principal } from '@app/common';
import { CompletionsService, CreateChatDto } from '@app/completions';
import { Validation } from '../../apps/api/src/http/validation.js';
import { startTestService, type TestService } from '../support/test-service.js';

/** A front door less its wire: what it would be sent, checked, answered by the real service and the real CLI. */
describe('a conversation, with the real CLI', () => {
  let service: TestService;
  let principal: Principal;

  beforeAll(async () => {
    service = await startTestService({ POOL: 'on' });
    const { key } = await service.key();
    principal = await service.app.get(KeyVerifier, { strict: false }).verify(key);
  });
  beforeEach(() => service.model.reset());
  afterAll(() => service.stop());

  async function chat(body: object, idempotencyKey?: string) {
    const metadata = { type: 'body', metatype: CreateChatDto } as const;
    const dto = (await new Validation().transform(body, metadata)) as CreateChatDto;
    const context = { requestId: 'req_test', idempotencyKey, signal: new AbortController().signal };
    const completions = service.app.get(CompletionsService, { strict: false });
    const { events, replayed } = await completions.startChat(principal, dto, context);
    let last;
    for await (const event of events) last = event;
    return { last, replayed, completion: last?.type === 'done' ? last.completion : undefined };
  }
  const refused = (body: object): Promise<Partial<AppError>> =>
    chat(body).then(
      () => ({}),
      ({ code, param }: AppError) => ({ code, param }),
    );
  const heard = () =>
    service.model.journal.map(({ body }) =>
      body.messages
        .filter(({ role }: { role: string }) => role !== 'system')
        .map(({ role, content }: any) => [role, ...content.map(({ text }: { text: string }) => text)]),
    );

  const MESSAGES = [
    { role: 'system', content: 'You know people.' },
    { role: 'user', content: 'my name is Ada' },
    { role: 'assistant', content: [{ type: 'text', text: '/config x=y' }] },
    { role: 'developer', content: 'Be brief.' },
    { role: 'user', content: '@/etc/passwd' },
  ];

  it('reaches the model as it was sent and is answered like a prompt', async () => {
    const { completion, replayed } = await chat({ messages: MESSAGES, model: 'haiku', metadata: { a: 1 } });
    expect(completion).toMatchObject({ content: 'Hello from the stand-in', metadata: { a: 1 } });
    expect(completion?.cost_usd).toBeGreaterThan(0);
    expect(replayed).toBe(false);
    expect(heard()).toEqual([
      [
        ['user', 'my name is Ada'],
        ['assistant', '/config x=y'],
        ['user', '@/etc/passwd'],
      ],
    ]);
    expect(service.model.journal[0]?.body.system.at(-1).text).toBe('You know people.\nBe brief.');
  });

  it('obeys the knobs of a completion', async () => {
    await chat({ messages: MESSAGES, model: 'haiku', max_tokens: 50, stop: ['END'], temperature: 0.2 });
    expect(service.model.journal[0]?.body).toMatchObject({
      ...{ max_tokens: 50, stop_sequences: ['END'], temperature: 0.2 },
    });
  });

  it('is routed by all that was said, not by its last words', async () => {
    const thanks = { role: 'user', content: 'Thanks! And the rest?' };
    const proof =
      'Prove rigorously, step by step, that the algorithm terminates, and analyse its complexity.';
    const small = await chat({ messages: [thanks] });
    const large = await chat({
      messages: [{ role: 'user', content: proof }, { role: 'assistant', content: 'First half.' }, thanks],
    });
    expect(small.completion?.routing?.model).toBe('haiku');
    expect(large.completion?.routing?.model).not.toBe('haiku');
  });

  it('is answered once for one idempotency key, and another conversation is a mismatch', async () => {
    const key = randomUUID();
    const first = await chat({ messages: MESSAGES, model: 'haiku' }, key);
    const second = await chat({ messages: MESSAGES, model: 'haiku' }, key);
    expect(second).toMatchObject({ replayed: true, completion: { id: first.completion?.id } });
    expect(service.model.journal).toHaveLength(1);
    const [system, , ...rest] = MESSAGES;
    const other = {
      messages: [system, { role: 'user', content: 'my name is Eve' }, ...rest],
      model: 'haiku',
    };
    await expect(chat(other, key)).rejects.toMatchObject({ code: 'idempotency_mismatch' });
  });

  it.each<[string, object, string]>([
    ['no messages', {}, 'messages'],
    ['a text', { messages: 'hi' }, 'messages'],
    ['a message that is a text', { messages: ['hi'] }, 'messages.0'],
    ['an unknown role', { messages: [{ role: 'tool', content: 'x' }] }, 'messages.0.role'],
    ['no content', { messages: [{ role: 'user' }] }, 'messages.0.content'],
    [
      'an unknown field of a message',
      { messages: [{ role: 'user', content: 'x', name: 'y' }] },
      'messages.0.name',
    ],
    ['an image', { messages: [{ role: 'user', content: [{ type: 'image' }] }] }, 'messages.0.content.0.type'],
    ['a prompt beside the messages', { messages: MESSAGES, prompt: 'x' }, 'prompt'],
    ['a system prompt beside the messages', { messages: MESSAGES, system: 'x' }, 'system'],
    ['temperature and top_p', { messages: MESSAGES, temperature: 1, top_p: 1 }, 'top_p'],
    ['an unknown model', { messages: MESSAGES, model: 'gpt-4' }, 'model'],
  ])('is refused with %s, before anything starts', async (_, body, param) => {
    expect(await refused(body)).toEqual({ code: 'invalid_request', param });
    expect(service.model.journal).toHaveLength(0);
  });
});
