import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import { until } from './task-api.js';

/** A client of `/v1/stream` that keeps all that it is told. */
export class StreamClient {
  readonly frames: any[] = [];
  closed?: { code: number; reason: string };

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data) => this.frames.push(JSON.parse(String(data))));
    socket.on('close', (code, reason) => (this.closed = { code, reason: String(reason) }));
    socket.on('error', () => undefined);
  }

  /** Connects with a key in the header, or without any. */
  static async open(url: string, key?: string, options: ClientOptions = {}): Promise<StreamClient> {
    const headers = { ...(key ? { authorization: `Bearer ${key}` } : {}), ...options.headers };
    const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/stream`, { ...options, headers });
    const client = new StreamClient(socket);
    await once(socket, 'open');
    if (key) await client.until(({ type }) => type === 'ready');
    return client;
  }

  /** How the service refuses to open a socket: its HTTP answer. */
  static async refused(
    url: string,
    path = '/v1/stream',
    headers: Record<string, string> = {},
    options: ClientOptions = {},
  ): Promise<{ status: number; headers: Record<string, unknown>; body: any }> {
    const socket = new WebSocket(url.replace('http', 'ws') + path, { ...options, headers });
    socket.on('error', () => undefined);
    const [, response] = await once(socket, 'unexpected-response');
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece);
    socket.terminate();
    return {
      status: response.statusCode,
      headers: response.headers,
      body: JSON.parse(Buffer.concat(pieces).toString()),
    };
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** The first frame that is like this, once it is there. */
  async until(isIt: (frame: any) => boolean, withinMs?: number): Promise<any> {
    return until(
      'a frame',
      () => this.frames.find(isIt) ?? (this.closed ? { missing: this.closed } : undefined),
      Boolean,
      withinMs,
    );
  }

  /** All frames of this id, once the last one has come. */
  async request(frame: { id: string } & Record<string, unknown>): Promise<any[]> {
    this.send(frame);
    return this.ended(frame.id);
  }

  async ended(id: string): Promise<any[]> {
    await this.until((told) => told.id === id && ['done', 'result', 'error'].includes(told.type));
    return this.of(id);
  }

  of(id: string): any[] {
    return this.frames.filter((told) => told.id === id);
  }

  /** Waits until the service has closed the socket. */
  async end(withinMs?: number): Promise<{ code: number; reason: string }> {
    return (await until('the close', () => this.closed, Boolean, withinMs))!;
  }

  close(): void {
    this.socket.terminate();
  }
}

/** The text that the tokens of these events make. */
export const textOf = (events: any[]): string =>
  events
    .filter(({ type }) => type === 'token')
    .map(({ content }) => content)
    .join('');
