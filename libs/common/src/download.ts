import { once } from 'node:events';
import type { Response } from 'express';
import { LONGEST_STALL_MS } from './event-stream.js';

const MEDIA_TYPES = { jsonl: 'application/jsonl; charset=utf-8', csv: 'text/csv; charset=utf-8' };

/** A file that is made while it is read: its size costs no memory. Waits for a slow reader, not for one that is gone. */
export async function download(
  response: Response,
  { name, format }: { name: string; format: keyof typeof MEDIA_TYPES },
  pieces: AsyncIterable<string>,
): Promise<void> {
  response.set({
    'content-type': MEDIA_TYPES[format],
    'content-disposition': `attachment; filename="${name}.${format}"`,
    'cache-control': 'no-store',
  });
  for await (const piece of pieces) {
    if (response.destroyed) return;
    if (!response.write(piece)) await drained(response);
  }
  response.end();
}

/** A reader that takes nothing for too long, or went away, ends the download. */
async function drained(response: Response): Promise<void> {
  const stalled = setTimeout(() => response.destroy(), LONGEST_STALL_MS);
  const over = new AbortController();
  await Promise.race(['drain', 'close'].map((event) => once(response, event, { signal: over.signal })));
  clearTimeout(stalled);
  over.abort();
}
