import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';
import type { RunEvent } from '../run-events.js';

type Heard = Extract<RunEvent, { type: 'started' | 'thinking' | 'token' | 'retry' }>;

/**
 * What the CLI told of one run, message by message. It is one signal among others: whether the run succeeded
 * is not decided here.
 */
export class CliReport {
  text = '';
  /** In USD, as the CLI computed it. */
  costUsd: number | null = null;
  /** What went wrong with the process, for the log. */
  trouble = '';
  /** The CLI said its last word. */
  finished = false;

  /** What a message means for the reader. Unknown kinds mean nothing: new CLIs bring new ones. */
  hear(message: SDKMessage): Heard | null {
    switch (message.type) {
      case 'system':
        return this.hearSystem(message);
      case 'stream_event':
        return this.hearStream(message.event);
      case 'result':
        this.finished = true;
        this.costUsd = possibleCost(message.total_cost_usd);
        // An answer that was not streamed stands only here; an error text also does, and is no answer.
        if (message.subtype === 'success' && !message.is_error) this.text ||= message.result;
        return null;
      default:
        return null;
    }
  }

  private hearSystem(message: Extract<SDKMessage, { type: 'system' }>): Heard | null {
    if (message.subtype === 'init') return { type: 'started', model: message.model };
    if (message.subtype !== 'api_retry') return null;
    return { type: 'retry', attempt: message.attempt, upstreamStatus: message.error_status };
  }

  private hearStream(event: Extract<SDKMessage, { type: 'stream_event' }>['event']): Heard | null {
    if (event.type !== 'content_block_delta') return null;
    if (event.delta.type === 'thinking_delta') return { type: 'thinking', content: event.delta.thinking };
    if (event.delta.type !== 'text_delta') return null;
    this.text += event.delta.text;
    return { type: 'token', content: event.delta.text };
  }
}

/** The CLI multiplies what the model's API reported, whatever that was; beyond this it is no cost of a run. */
const MOST_USD = 1_000_000;

function possibleCost(usd: number): number | null {
  return usd >= 0 && usd <= MOST_USD ? usd : null;
}
