import { Writable } from 'node:stream';
import type { Response } from 'express';
import type { Clock } from '@app/common';
import type { CompletionEvent } from './completion-events.js';
import { streamCompletion } from './completion-stream.js';

/** The answer of a client that keeps the connection open and takes nothing. */
function stalledResponse(): Response {
  const stream = new Writable({ highWaterMark: 1, write: () => undefined });
  const headers = { status: () => stream, set: () => stream, flushHeaders: () => undefined };
  return Object.assign(stream, headers) as unknown as Response;
}

describe('a stream whose reader stops reading', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('is given up after 30 s, and its run has not waited for it', async () => {
    let settled = false;
    async function* events(): AsyncGenerator<CompletionEvent> {
      yield { type: 'token', content: 'one' };
      yield { type: 'token', content: 'two' };
      settled = true;
    }
    const response = stalledResponse();
    const streamed = streamCompletion(
      { id: 'run_1', endsWithinMs: 60_000, events: events() },
      response,
      { now: () => new Date(0) } as Clock,
      'req_1',
    );
    await jest.advanceTimersByTimeAsync(29_000);
    expect([response.destroyed, settled]).toEqual([false, true]);
    await jest.advanceTimersByTimeAsync(2_000);
    await streamed;
    expect([response.destroyed, settled]).toEqual([true, true]);
  });
});
