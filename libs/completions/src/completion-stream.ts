import type { Response } from 'express';
import type { Clock } from '@app/common';
import type { CompletionEvent, StartedCompletion } from './completion-events.js';

const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for so long is given up: its run holds a place that others wait for. */
const LONGEST_STALL_MS = 30_000;

/**
 * Writes the events of a completion as server-sent events: `id` is the sequence number, `event` the type and
 * `data` the whole event. Waits for a slow reader but not for one that stopped reading, and reads on when the
 * reader is gone so that the run is settled.
 */
export async function streamCompletion(
  started: StartedCompletion,
  response: Response,
  clock: Clock,
  requestId: string,
): Promise<void> {
  response
    .status(200)
    .set({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' });
  response.flushHeaders();
  // A comment keeps proxies from closing a stream that is silent because the model thinks.
  const heartbeat = setInterval(() => response.write(': still here\n\n'), HEARTBEAT_MS);
  // A reader that takes a little now and then must not outlast the run by much.
  const overdue = setTimeout(() => response.destroy(), started.endsWithinMs + LONGEST_STALL_MS);
  let seq = 0;
  try {
    for await (const event of started.events) {
      if (response.destroyed) continue;
      seq += 1;
      const stamp = { seq, timestamp: clock.now().toISOString(), id: started.id };
      const data = JSON.stringify({ type: event.type, ...stamp, ...payload(event, requestId) });
      if (!response.write(`id: ${seq}\nevent: ${event.type}\ndata: ${data}\n\n`)) await drained(response);
    }
  } finally {
    clearInterval(heartbeat);
    clearTimeout(overdue);
  }
  response.end();
}

function payload(event: CompletionEvent, requestId: string): object {
  if (event.type === 'error')
    return { error: event.error.toEnvelope(requestId).error, request_id: requestId };
  if (event.type !== 'done') return event;
  // The text was streamed: the last event brings everything but it.
  const { content: _content, choices, id: _id, ...rest } = event.completion;
  return { ...rest, finish_reason: choices[0]?.finish_reason };
}

async function drained(response: Response): Promise<void> {
  await new Promise<void>((resolve) => {
    const stalled = setTimeout(() => response.destroy(), LONGEST_STALL_MS);
    const done = () => {
      clearTimeout(stalled);
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}
