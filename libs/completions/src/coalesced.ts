import type { CompletionEvent } from './completion-events.js';

/** Hears how many bytes of text wait more than before, or fewer. */
export type OnWaiting = (change: number) => void;
type Text = Extract<CompletionEvent, { content: string }>;

/**
 * The same events, for a reader that may be slower than they come: pieces of text that wait for it are told as
 * one. The source is read at its own pace, so a run does not wait for its reader; what waits is one answer at most.
 */
export async function* coalesced(
  events: AsyncIterable<CompletionEvent>,
  onWaiting: OnWaiting = noop,
): AsyncGenerator<CompletionEvent> {
  const waiting: CompletionEvent[] = [];
  let wake = noop;
  let isOver = false;
  const gathered = (async () => {
    try {
      for await (const event of events) {
        add(waiting, event);
        onWaiting(bytesOf(event));
        wake();
      }
    } finally {
      isOver = true;
      wake();
    }
  })();
  // Whoever reads to the end hears of it.
  gathered.catch(noop);
  while (waiting.length > 0 || !isOver) {
    const next = waiting.shift();
    if (next) {
      onWaiting(-bytesOf(next));
      yield next;
    } else await new Promise<void>((resolve) => (wake = resolve));
  }
  await gathered;
}

const noop = (): void => undefined;

function add(waiting: CompletionEvent[], event: CompletionEvent): void {
  const last = waiting.at(-1);
  if (last && isText(event) && isText(last) && last.type === event.type) {
    waiting[waiting.length - 1] = { type: last.type, content: last.content + event.content };
  } else waiting.push(event);
}

function bytesOf(event: CompletionEvent): number {
  return isText(event) ? Buffer.byteLength(event.content) : 0;
}

function isText(event: CompletionEvent): event is Text {
  return event.type === 'token' || event.type === 'thinking';
}
