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
  /** How long the model thinks before its first piece. */
  firstDelayMs?: number;
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

interface ScriptedToolCall {
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

type Send = (type: string, data: object) => void;

async function answer(request: UpstreamRequest, response: ServerResponse, script: ScriptedAnswer) {
  if (script.hang) return;
  // A CLI without our broker before it looks first whether somebody is there.
  if (!request.body) return void response.end();
  if (script.status) return fail(response, script.status, script);
  const send: Send = (type, data) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const told = <T>(usage: T) => (script.withoutUsage ? undefined : usage);
  const usage = told({ input_tokens: script.inputTokens ?? 12, output_tokens: 1 });
  const id = `msg_${randomBytes(9).toString('hex')}`;
  const message = { id, type: 'message', role: 'assistant', model: request.body.model };
  send('message_start', {
    message: { ...message, content: [], stop_reason: null, stop_sequence: null, usage },
  });
  if (script.firstDelayMs) await new Promise((resolve) => setTimeout(resolve, script.firstDelayMs));
  const spoken = spokenBlocks(script);
  for (const [index, block] of spoken.entries()) {
    await sendSpoken(send, response, { ...block, index }, script);
    if (response.destroyed) return;
  }
  for (const [index, tool] of (script.tools ?? []).entries()) sendCall(send, spoken.length + index, tool);
  const stopReason = script.stopReason ?? (script.tools ? 'tool_use' : 'end_turn');
  send('message_delta', {
    delta: { stop_reason: stopReason, stop_sequence: null },
    usage: told({ output_tokens: script.outputTokens ?? 7 }),
  });
  send('message_stop', {});
  response.end();
}

/** What the answer says, in order. A model that calls tools may say nothing. */
function spokenBlocks({ thinking, text, tools }: ScriptedAnswer): { type: string; text: string }[] {
  const said = text ?? (tools ? undefined : 'Hello from the stand-in');
  return [
    ...(thinking === undefined ? [] : [{ type: 'thinking', text: thinking }]),
    ...(said === undefined ? [] : [{ type: 'text', text: said }]),
  ];
}

async function sendSpoken(
  send: Send,
  response: ServerResponse,
  { type, text, index }: { type: string; text: string; index: number },
  script: ScriptedAnswer,
): Promise<void> {
  send('content_block_start', { index, content_block: EMPTY_BLOCK[type] });
  const size = Math.ceil(text.length / (script.chunks ?? 3)) || 1;
  for (let start = 0, sent = 0; start < text.length; start += size, sent += 1) {
    if (sent === script.cutAfterChunks) return void response.destroy();
    const piece = text.slice(start, start + size);
    send('content_block_delta', { index, delta: { type: `${type}_delta`, [type]: piece } });
    if (script.chunkDelayMs) await new Promise((resolve) => setTimeout(resolve, script.chunkDelayMs));
    if (response.destroyed) return;
  }
  send('content_block_stop', { index });
}

function sendCall(send: Send, index: number, { id, name, input }: ScriptedToolCall): void {
  const toolUseId = id ?? `toolu_${randomBytes(9).toString('hex')}`;
  const block = { type: 'tool_use', id: toolUseId, name, input: {} };
  send('content_block_start', { index, content_block: block });
  const delta = { type: 'input_json_delta', partial_json: JSON.stringify(input) };
  send('content_block_delta', { index, delta });
  send('content_block_stop', { index });
}

function fail(response: ServerResponse, status: number, { retryAfter, message }: ScriptedAnswer): void {
  const retry = retryAfter ? { 'retry-after': String(retryAfter) } : {};
  response.writeHead(status, { 'content-type': 'application/json', ...retry });
  response.end(
    JSON.stringify({ type: 'error', error: { type: 'api_error', message: message ?? 'scripted failure' } }),
  );
}
