import type { Response } from 'express';
import { type Clock, EventStream, LONGEST_STALL_MS } from '@app/common';
import { coalesced, type OnWaiting } from './coalesced.js';
import type { CompletionEvent, StartedCompletion } from './completion-events.js';

/** An event of a completion as every wire tells it: `seq` starts at 1 and has no gap. */
export type CompletionWireEvent = {
  type: CompletionEvent['type'];
  seq: number;
  timestamp: string;
  id: string;
};

export async function* wireEvents(
  { id, events }: StartedCompletion,
  clock: Clock,
  requestId: string,
  onWaiting?: OnWaiting,
): AsyncGenerator<CompletionWireEvent> {
  let seq = 0;
  for await (const event of coalesced(events, onWaiting)) {
    seq += 1;
    const timestamp = clock.now().toISOString();
    yield { type: event.type, seq, timestamp, id, ...payload(event, requestId) };
  }
}

/**
 * Writes the events of a completion as server-sent events; what comes while the reader is behind comes as one.
 */
export async function streamCompletion(
  started: StartedCompletion,
  response: Response,
  clock: Clock,
  requestId: string,
): Promise<void> {
  const stream = new EventStream(response);
  // A reader that takes a little now and then must not outlast the run by much.
  const overdue = setTimeout(() => response.destroy(), started.endsWithinMs + LONGEST_STALL_MS);
  let whole = false;
  try {
    for await (const event of wireEvents(started, clock, requestId)) {
      await stream.send(event.seq, event.type, event);
    }
    whole = true;
  } finally {
    stream.close(whole);
    clearTimeout(overdue);
  }
}

function payload(event: CompletionEvent, requestId: string): object {
  if (event.type === 'error')
    return { error: event.error.toEnvelope(requestId).error, request_id: requestId };
  if (event.type !== 'done') return event;
  // The text was streamed: the last event brings everything but it.
  const { content: _content, choices, id: _id, ...rest } = event.completion;
  return { ...rest, finish_reason: choices[0]?.finish_reason };
}
