/**
 * The `data` of each server-sent event, in order: chunks may be cut anywhere (inside a character or a line
 * end), lines end in LF, CRLF or CR, and data may span lines. Comments and other fields are passed over.
 */
export async function* eventData(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let data: string[] = [];
  for await (const line of lines(chunks)) {
    if (line !== '') {
      const [, value] = /^data(?:: ?(.*))?$/s.exec(line) ?? [];
      if (value !== undefined || line === 'data') data.push(value ?? '');
    } else if (data.length > 0) {
      yield data.join('\n');
      data = [];
    }
  }
  // What the end of the stream cut off is not an event.
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    // A CR at the very end may be half of a CRLF.
    const whole = rest.endsWith('\r') ? rest.slice(0, -1) : rest;
    const found = whole.split(/\r\n|\n|\r/);
    rest = (found.pop() ?? '') + rest.slice(whole.length);
    yield* found;
  }
  if (rest.endsWith('\r')) yield rest.slice(0, -1);
}
