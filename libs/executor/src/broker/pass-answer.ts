import type { ServerResponse } from 'node:http';
import type { AnswerReader } from './answer-reader.js';

/**
 * Hands an answer of the model's API on while `answer` reads it, and waits for a slow reader. A reader that goes
 * away has bought it all the same: it is read to its end, so that what it used is known.
 */
export async function passAnswer(
  upstream: Response,
  response: ServerResponse,
  answer: AnswerReader,
  { streamed, signal }: { streamed: boolean; signal: AbortSignal },
): Promise<void> {
  const contentType = upstream.headers.get('content-type') ?? 'application/json';
  response.writeHead(upstream.status, { 'content-type': contentType });
  if (!streamed) {
    const text = await upstream.text();
    answer.readJson(text);
    response.end(text);
    return;
  }
  response.flushHeaders();
  for await (const chunk of upstream.body ?? []) {
    answer.push(chunk);
    if (!response.destroyed && !response.write(chunk)) await room(response, signal);
  }
  response.end();
}

/** Resolves when the reader has caught up or is gone, or when nobody waits for it any more. */
function room(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
