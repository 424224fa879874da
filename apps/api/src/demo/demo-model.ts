import { LLMock } from '@copilotkit/aimock';
import { demoTaskTurn } from './demo-task.js';

/** Where the scripted model of `serve --demo` listens, and how to end it. */
export interface DemoModel {
  url: string;
  stop(): Promise<void>;
}

const PROMPT_SHOWN = 80;

/**
 * A scripted model on loopback, so that anyone can try the service without an account and without cost: the
 * CLI, the broker and everything before them are the real ones. Every answer says that it is a demo.
 */
export async function startDemoModel(): Promise<DemoModel> {
  const model = new LLMock({ host: '127.0.0.1', port: 0, latency: 15, chunkSize: 12, journalMaxEntries: 1 });
  model.on(
    { predicate: ({ messages }) => lastPrompt(messages).includes('demo error') },
    {
      error: { message: 'demo: this failure was asked for', type: 'overloaded_error' },
      status: 529,
    },
  );
  model.on({ predicate: ({ tools }) => (tools?.length ?? 0) > 0 }, (asked) => demoTaskTurn(asked));
  model.on({ predicate: () => true }, ({ messages }) => ({ content: demoAnswer(lastPrompt(messages)) }));
  await model.start();
  return { url: model.url, stop: () => model.stop() };
}

function demoAnswer(prompt: string): string {
  const shown = prompt.length > PROMPT_SHOWN ? `${prompt.slice(0, PROMPT_SHOWN)}…` : prompt;
  return (
    `This is a demo answer from a scripted model, not from Claude. ` +
    `The real Claude Code CLI delivered your prompt: "${shown}". ` +
    `Set ANTHROPIC_API_KEY and start without --demo for real answers.`
  );
}

type Messages = Parameters<
  Extract<Parameters<LLMock['on']>[1], (...args: never[]) => unknown>
>[0]['messages'];

/** The text that the user sent, without the reminders that the CLI puts around it. */
function lastPrompt(messages: Messages): string {
  const turn = messages.findLast(({ role }) => role === 'user');
  const content = turn?.content ?? '';
  const parts = typeof content === 'string' ? [content] : content.map(({ text }) => text ?? '');
  return parts.filter((text) => !text.startsWith('<system-reminder>')).join('\n');
}
