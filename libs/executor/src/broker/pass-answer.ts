import type { ServerResponse } from 'node:http';
import type { AnswerReader } from './answer-reader.js';
import { CondensedAnswer } from './condensed-answer.js';
import type { UpstreamAnswer } from './upstream.js';

/**
 * Hands an answer of the model's API on while `answer` reads it, and waits for a slow reader. A reader that goes
 * away has bought it all the same: it is read to its end, so that what it used is known. `isHeard`: the text of the
 * answer is told by `answer`; the reader may have it in larger pieces.
 */
export async function passAnswer(
  upstream: UpstreamAnswer,
  response: ServerResponse,
  answer: AnswerReader,
  { streamed, signal, isHeard }: { streamed: boolean; signal: AbortSignal; isHeard: boolean },
): Promise<void> {
  const contentType = String(upstream.headers['content-type'] ?? 'application/json');
  response.writeHead(upstream.statusCode, { 'content-type': contentType });
  if (!streamed) {
    const text = await upstream.body.text();
    answer.readJson(text);
    response.end(text);
    return;
  }
  response.flushHeaders();
  const condensed = isHeard ? new CondensedAnswer(answer) : undefined;
  for await (const chunk of upstream.body as AsyncIterable<Buffer>) {
    if (!condensed) answer.push(chunk);
    const told = condensed ? condensed.push(chunk) : chunk;
    if (told.length > 0 && !response.destroyed && !response.write(told)) await room(response, signal);
  }
  response.end(condensed?.end());
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
