import { setImmediate as turn } from 'node:timers/promises';
import { coalesced } from './coalesced.js';
import type { CompletionEvent } from './completion-events.js';

const token = (content: string): CompletionEvent => ({ type: 'token', content });
const thinking = (content: string): CompletionEvent => ({ type: 'thinking', content });
const retry: CompletionEvent = { type: 'retry', attempt: 1, upstream_status: 529 };

async function* source(...events: CompletionEvent[]): AsyncGenerator<CompletionEvent> {
  yield* events;
}

describe('text that waits for its reader', () => {
  it('is told as one piece, in order, between what is no text', async () => {
    const events = coalesced(
      source(thinking('a'), thinking('b'), token('c'), retry, token('d'), token('e'), token('f')),
    );
    const told = [(await events.next()).value];
    for (let pause = 0; pause < 20; pause++) await turn();
    for await (const event of events) told.push(event);
    expect(told).toEqual([thinking('a'), thinking('b'), token('c'), retry, token('def')]);
  });

  it('is counted, in bytes, for as long as it waits', async () => {
    const counts: number[] = [];
    const events = coalesced(source(token('é'), token('bc'), retry), (change) => counts.push(change));
    await events.next();
    for (let pause = 0; pause < 20; pause++) await turn();
    expect(counts.reduce((sum, change) => sum + change, 0)).toBe(2);
    for await (const _ of events) continue;
    expect(counts.reduce((sum, change) => sum + change, 0)).toBe(0);
  });

  it('comes piece by piece to a reader who keeps up', async () => {
    async function* slowly() {
      for (const piece of ['a', 'b', 'c']) {
        yield token(piece);
        await turn();
      }
    }
    const told = [];
    for await (const event of coalesced(slowly())) told.push(event);
    expect(told).toEqual([token('a'), token('b'), token('c')]);
  });

  it('is told before what failed', async () => {
    async function* failing() {
      yield token('a');
      throw new Error('the source failed');
    }
    const events = coalesced(failing());
    expect((await events.next()).value).toEqual(token('a'));
    await expect(events.next()).rejects.toThrow('the source failed');
  });

  it('does not hold up its source', async () => {
    let isRead = false;
    async function* watched() {
      yield* source(token('a'), token('b'));
      isRead = true;
    }
    await coalesced(watched()).next();
    for (let pause = 0; pause < 20; pause++) await turn();
    expect(isRead).toBe(true);
  });
});
