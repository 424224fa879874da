import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';
import type { RunEvent } from '../run-events.js';

/**
 * What one message of the CLI means for the reader. Unknown kinds mean nothing: new CLIs bring new ones.
 */
export function messageEvent(
  message: SDKMessage,
): Extract<RunEvent, { type: 'thinking' | 'token' | 'retry' }> | null {
  if (message.type === 'stream_event' && message.event.type === 'content_block_delta') {
    const { delta } = message.event;
    if (delta.type === 'text_delta') return { type: 'token', content: delta.text };
    if (delta.type === 'thinking_delta') return { type: 'thinking', content: delta.thinking };
  }
  if (message.type === 'system' && message.subtype === 'api_retry') {
    return { type: 'retry', attempt: message.attempt, upstreamStatus: message.error_status };
  }
  return null;
}
