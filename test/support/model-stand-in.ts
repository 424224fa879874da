import { randomBytes } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request that reached the stand-in, as it arrived. */
export interface UpstreamRequest {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: any;
}

/** What the stand-in answers. `text` is streamed in `chunks` pieces, `chunkDelayMs` apart. */
export interface ScriptedAnswer {
  text?: string;
  chunks?: number;
  chunkDelayMs?: number;
  stopReason?: string;
  inputTokens?: number;
  outputTokens?: number;
  /** Tell nothing of what the answer used. */
  withoutUsage?: boolean;
  /** Answer with this HTTP status and an error body instead. */
  status?: number;
  /** … that says this. */
  message?: string;
  retryAfter?: number;
  /** Cut the connection after this many chunks. */
  cutAfterChunks?: number;
  /** Never answer. */
  hang?: boolean;
  /** Tools that the model calls after its text; the answer then stops for them. */
  tools?: ScriptedToolCall[];
  /** What the model thinks before it speaks. */
  thinking?: string;
}

export interface ScriptedToolCall {
  name: string;
  input: Record<string, unknown>;
  /** Made up when left out. */
  id?: string;
}

/**
 * A stand-in for the model's API, independent of aimock: speaks the Messages API over SSE, answers what the
 * script says and keeps a journal of what it was asked.
 */
export class ModelStandIn {
  readonly journal: UpstreamRequest[] = [];
  /** Connections that the client closed before the answer was whole. */
  aborted = 0;
  script: (request: UpstreamRequest, call: number) => ScriptedAnswer = () => ({});
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const text = Buffer.concat(pieces).toString('utf8');
        const seen = {
          method: request.method ?? '',
          url: request.url ?? '',
          headers: request.headers,
          body: text ? JSON.parse(text) : null,
        };
        this.journal.push(seen);
        response.on('close', () => (this.aborted += response.writableFinished ? 0 : 1));
        void answer(seen, response, this.script(seen, this.journal.length));
      });
    });
  }

  static async start(): Promise<ModelStandIn> {
    const standIn = new ModelStandIn();
    await new Promise<void>((resolve) => standIn.server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The text parts of all user turns of a request, without the reminders that the CLI puts around them. */
  static promptOf(request: UpstreamRequest | undefined): string[] {
    const turns: { role: string; content: string | { text?: string }[] }[] = request?.body.messages ?? [];
    return turns
      .filter(({ role }) => role === 'user')
      .flatMap(({ content }) =>
        typeof content === 'string' ? [content] : content.map(({ text }) => text ?? ''),
      )
      .filter((text) => !text.startsWith('<system-reminder>'));
  }

  reset(): void {
    this.journal.length = 0;
    this.aborted = 0;
    this.script = () => ({});
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

const EMPTY_BLOCK: Record<string, object> = {
  text: { type: 'text', text: '' },
  thinking: { type: 'thinking', thinking: '', signature: '' },
};

async function answer(request: UpstreamRequest, response: ServerResponse, script: ScriptedAnswer) {
  if (script.hang) return;
  if (script.status) return fail(response, script.status, script);
  const send = (type: string, data: object) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const usage = script.withoutUsage
    ? undefined
    : { input_tokens: script.inputTokens ?? 12, output_tokens: 1 };
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: request.body.model };
  send('message_start', {
    message: { ...message, content: [], stop_reason: null, stop_sequence: null, usage },
  });
  const blocks = [
    ...(script.thinking ? [{ type: 'thinking', text: script.thinking }] : []),
    // A model that calls tools may say nothing.
    ...(script.tools && !script.text
      ? []
      : [{ type: 'text', text: script.text ?? 'Hello from the stand-in' }]),
  ];
  for (const [index, { type, text }] of blocks.entries()) {
    send('content_block_start', { index, content_block: EMPTY_BLOCK[type] });
    const size = Math.ceil(text.length / (script.chunks ?? 3)) || 1;
    for (let start = 0, sent = 0; start < text.length; start += size, sent += 1) {
      if (sent === script.cutAfterChunks) return void response.destroy();
      const piece = text.slice(start, start + size);
      const delta =
        type === 'thinking'
          ? { type: 'thinking_delta', thinking: piece }
          : { type: 'text_delta', text: piece };
      send('content_block_delta', { index, delta });
      if (script.chunkDelayMs) await new Promise((resolve) => setTimeout(resolve, script.chunkDelayMs));
      if (response.destroyed) return;
    }
    send('content_block_stop', { index });
  }
  for (const [offset, tool] of (script.tools ?? []).entries()) {
    const index = blocks.length + offset;
    const id = tool.id ?? `toolu_${randomBytes(9).toString('hex')}`;
    send('content_block_start', {
      index,
      content_block: { type: 'tool_use', id, name: tool.name, input: {} },
    });
    const delta = { type: 'input_json_delta', partial_json: JSON.stringify(tool.input) };
    send('content_block_delta', { index, delta });
    send('content_block_stop', { index });
  }
  send('message_delta', {
    delta: {
      stop_reason: script.stopReason ?? (script.tools ? 'tool_use' : 'end_turn'),
      stop_sequence: null,
    },
    usage: script.withoutUsage ? undefined : { output_tokens: script.outputTokens ?? 7 },
  });
  send('message_stop', {});
  response.end();
}

function fail(response: ServerResponse, status: number, { retryAfter, message }: ScriptedAnswer): void {
  const retry = retryAfter ? { 'retry-after': String(retryAfter) } : {};
  response.writeHead(status, { 'content-type': 'application/json', ...retry });
  response.end(
    JSON.stringify({ type: 'error', error: { type: 'api_error', message: message ?? 'scripted failure' } }),
  );
}
