import type { SDKAssistantMessage, SDKMessage, SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';
import type { Said } from '../broker/answer-reader.js';
import type { RunEvent } from '../run-events.js';
import type { ToolTrail } from './tool-trail.js';

type Heard = Extract<RunEvent, { type: 'started' | 'thinking' | 'token' | 'retry' }>;
/** Of what is kept as the answer; no model says so much. Whatever claims to be the CLI may. */
const MOST_TEXT = 8 * 1024 * 1024;

type ResultMessage = Extract<SDKMessage, { type: 'result' }>;

/**
 * What the CLI told of one run, message by message. It is one signal among others: whether the run succeeded
 * is not decided here.
 */
export class CliReport {
  /** Of a text run all text, of a task the last thing that it said. */
  text = '';
  structuredOutput: unknown;
  /** In USD, as the CLI computed it. */
  costUsd: number | null = null;
  /** What went wrong with the process, for the log. */
  trouble = '';
  /** The CLI's last word: how it ended, and whether it calls that a failure. */
  last: Pick<ResultMessage, 'subtype' | 'is_error'> | null = null;
  private beginsAnew = false;

  constructor(
    private readonly trail: ToolTrail,
    private readonly isTask: boolean,
  ) {}

  get finished(): boolean {
    return this.last !== null;
  }

  /** What a message means for the reader. Unknown kinds mean nothing: new CLIs bring new ones. */
  hear(message: SDKMessage | Said): RunEvent[] {
    const heard = this.understood(message);
    return heard ? [...this.trail.take(), heard] : this.trail.take();
  }

  private understood(message: SDKMessage | Said): Heard | null {
    switch (message.type) {
      case 'token':
        return this.hearText(message.content);
      case 'thinking':
        return message;
      case 'system':
        return this.hearSystem(message);
      case 'stream_event':
        return message.parent_tool_use_id === null ? this.hearStream(message.event) : null;
      case 'assistant':
        return this.hearCalls(message);
      case 'user':
        return this.hearResults(message);
      case 'result':
        this.hearLast(message);
        return null;
      default:
        return null;
    }
  }

  private hearLast(message: ResultMessage): void {
    this.last = message;
    this.costUsd = possibleCost(message.total_cost_usd);
    if (message.subtype !== 'success') {
      this.trouble = message.errors.join('; ');
      return;
    }
    // An error text also stands here, and is no answer.
    if (message.is_error) return;
    this.structuredOutput = message.structured_output;
    // A text run says more than its last message when the model was cut and went on.
    this.text = this.isTask ? message.result || this.text : this.text || message.result;
  }

  private hearSystem(message: Extract<SDKMessage, { type: 'system' }>): Heard | null {
    if (message.subtype === 'init') return { type: 'started', model: message.model };
    if (message.subtype === 'permission_denied')
      this.trail.refusedByCli(message.tool_use_id, message.tool_name, message.message);
    if (message.subtype !== 'api_retry') return null;
    return { type: 'retry', attempt: message.attempt, upstreamStatus: message.error_status };
  }

  private hearStream(event: Extract<SDKMessage, { type: 'stream_event' }>['event']): Heard | null {
    if (event.type === 'message_start') this.beginsAnew = this.isTask;
    if (event.type !== 'content_block_delta') return null;
    if (event.delta.type === 'thinking_delta') return { type: 'thinking', content: event.delta.thinking };
    if (event.delta.type !== 'text_delta') return null;
    return this.hearText(event.delta.text);
  }

  private hearText(content: string): Heard {
    if (this.beginsAnew) this.text = '';
    this.beginsAnew = false;
    if (this.text.length < MOST_TEXT) this.text += content;
    return { type: 'token', content };
  }

  private hearCalls({ message, parent_tool_use_id: caller }: SDKAssistantMessage): null {
    for (const block of message.content) {
      if (block.type !== 'tool_use') continue;
      const input = (block.input ?? {}) as Record<string, unknown>;
      this.trail.call(block.id, { tool: block.name, input }, caller ?? undefined);
    }
    return null;
  }

  private hearResults({ message, parent_tool_use_id: caller }: SDKUserMessage): null {
    if (typeof message.content === 'string') return null;
    for (const block of message.content) {
      if (block.type !== 'tool_result') continue;
      this.trail.result(block.tool_use_id, block.is_error === true, block.content, caller ?? undefined);
    }
    return null;
  }
}

/** The CLI multiplies what the model's API reported, whatever that was; beyond this it is no cost of a run. */
const MOST_USD = 1_000_000;

function possibleCost(usd: number): number | null {
  return usd >= 0 && usd <= MOST_USD ? usd : null;
}
