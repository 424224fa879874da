/** The lines of a stream of server-sent events, as they become whole. */
export class SseLines {
  /** The beginning of the next line, as far as it came. */
  rest = '';
  private readonly decoder = new TextDecoder();

  push(chunk: Uint8Array): string[] {
    const lines = (this.rest + this.decoder.decode(chunk, { stream: true })).split('\n');
    this.rest = lines.pop() ?? '';
    return lines;
  }
}
