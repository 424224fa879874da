import { array, assert, asyncProperty, integer } from 'fast-check';
import { eventData } from './event-stream.js';

async function* cut(bytes: Uint8Array, sizes: number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
  yield bytes.subarray(at);
}

async function read(text: string, sizes: number[] = []): Promise<string[]> {
  const events: string[] = [];
  for await (const data of eventData(cut(new TextEncoder().encode(text), sizes))) events.push(data);
  return events;
}

describe('reading server-sent events', () => {
  it.each([
    ['one event', 'data: {"a":1}\n\n', ['{"a":1}']],
    ['id and event beside the data', 'id: 1\nevent: token\ndata: x\n\n', ['x']],
    ['CRLF', 'data: x\r\n\r\ndata: y\r\n\r\n', ['x', 'y']],
    ['CR alone', 'data: x\r\rdata: y\r\r', ['x', 'y']],
    ['data over several lines', 'data: a\ndata:\ndata: b\n\n', ['a\n\nb']],
    ['no space after the colon, and only one taken away', 'data:x\n\ndata:  y\n\n', ['x', ' y']],
    ['comments between', ': still here\n\ndata: x\n\n: still here\n\n', ['x']],
    ['a field whose name only begins with data', 'database: x\n\n', []],
    ['a last event that was cut off', 'data: x\n\ndata: y\n', ['x']],
    ['nothing', '', []],
  ])('takes %s', async (_, text, events) => {
    expect(await read(text)).toEqual(events);
  });

  it('does not depend on where the chunks are cut', async () => {
    const text = 'data: grüße 🚢\r\n\r\n: x\n\ndata: a\r\ndata: b\r\n\r\ndata: é\n\n';
    await assert(
      asyncProperty(array(integer({ min: 0, max: 5 })), async (sizes) => {
        expect(await read(text, sizes)).toEqual(['grüße 🚢', 'a\nb', 'é']);
      }),
    );
  });
});
