import { z } from 'zod';
import type { MessagesRequest } from './upstream-body.js';

export type TextBlock = { type: 'text'; text: string };
export type Message = { role: 'user' | 'assistant'; content: TextBlock[] };

/** What is said in a text run, apart from how the CLI asks for it. */
export interface TextTurn {
  /** Text by text what the CLI itself is told, and has to repeat to the model. */
  said: readonly TextBlock[];
  /** What was said before, of which the CLI knows nothing. */
  earlier: readonly Message[];
  system?: string;
}

/** The system prompt of a process that does not know yet what it will serve. Never reaches the model. */
export const SYSTEM_PLACEHOLDER = 'The system prompt of the run stands here.';

/** What the CLI notes of the `/clear` that it was reset with, word by word. */
const RESET_NOTES = [
  "<local-command-caveat>The command below was run directly in Claude Code, not sent to you as a request, and its output goes straight to the user. It's recorded here as context for later messages.</local-command-caveat>\n",
  '<command-name>/clear</command-name>\n            <command-message>clear</command-message>\n            <command-args></command-args>\n',
  '<local-command-stdout></local-command-stdout>\n',
];
/** Older models are told by texts of this kind what newer ones are told in a turn of the system. */
const REMINDER = '<system-reminder>\n';

const textBlock = z.looseObject({ type: z.literal('text'), text: z.string() });
const textRequest = z.looseObject({
  system: z.array(textBlock),
  messages: z.array(z.looseObject({ role: z.enum(['user', 'system']), content: z.array(textBlock) })),
});
type ProvenRequest = z.infer<typeof textRequest>;

/**
 * The requests of one process of the CLI that serves text runs, one after the other. Guarantees of what `compose`
 * lets pass: it holds what this run said, word by word, and apart from that nothing but what the first request of
 * the process held, before it had served anybody else. Then the run's system prompt and earlier turns are put in,
 * as the CLI would have put them in had it been started with them.
 */
export class TextRequests {
  private frame: string | undefined;
  private isReset = false;

  /** The process was reset: its next request tells of it. */
  reset(): void {
    this.isReset = true;
  }

  /** Undefined = not proven. */
  compose(request: MessagesRequest, { said, earlier, system }: TextTurn): MessagesRequest | undefined {
    const parsed = textRequest.safeParse(request);
    if (!parsed.success) return undefined;
    const asked = this.withoutResetNotes(parsed.data);
    const frame = asked && frameOf(asked, said);
    this.frame ??= frame;
    if (!asked || frame === undefined || frame !== this.frame) return undefined;
    const own = asked.system.slice(0, -1);
    const placeholder = asked.system.at(-1)!;
    return {
      ...request,
      system: system?.trim() ? [...own, { ...placeholder, text: system }] : own,
      messages: [...earlier, ...asked.messages],
    };
  }

  private withoutResetNotes(request: ProvenRequest): ProvenRequest | undefined {
    if (!this.isReset) return request;
    const [first, ...others] = request.messages;
    const at = first?.content.findIndex(({ text }) => text === RESET_NOTES[0]) ?? -1;
    if (!first || !RESET_NOTES.every((note, index) => first.content[at + index]?.text === note))
      return undefined;
    const content = first.content.toSpliced(at, RESET_NOTES.length);
    return { ...request, messages: [{ ...first, content }, ...others] };
  }
}

/** All of a request but what was said; undefined = it says something else, or has no place for a system prompt. */
function frameOf({ metadata: _, ...request }: ProvenRequest, said: readonly TextBlock[]): string | undefined {
  const [first, ...others] = request.messages;
  if (first?.role !== 'user' || others.some(({ role }) => role !== 'system')) return undefined;
  const reminders = first.content.slice(0, first.content.length - said.length);
  const repeated = first.content.slice(reminders.length);
  if (repeated.length !== said.length || repeated.some(({ text }, index) => text !== said[index]?.text))
    return undefined;
  if (!reminders.every(({ text }) => text.startsWith(REMINDER))) return undefined;
  if (request.system.at(-1)?.text !== SYSTEM_PLACEHOLDER) return undefined;
  const last = repeated.at(-1);
  // How many texts the run says is its own affair; what else the CLI writes beside them is not.
  if (repeated.slice(0, -1).some((block) => Object.keys(block).length > 2)) return undefined;
  const content = [...reminders, { ...last, text: '' }];
  return JSON.stringify({ ...request, messages: [{ ...first, content }, ...others] });
}
