import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export const MODEL = 'claude-sonnet-5-5';
/** By Anthropic's list, in nano-dollars a token; nothing of ours computes this. The dearest way of a prompt is 4,000. */
const NANO = { prompt: 2_000n, dearestPrompt: 4_000n, output: 10_000n };
const CUT_SHARE = 0.03;
/** Of a call with 4,000 bytes, at two a token, and 8,000 tokens of output. */
export const MOST_RESERVED_NANO = 2_000n * NANO.dearestPrompt + 8_000n * NANO.output;

interface Call {
  run: string;
  number: number;
  inputBytes: number;
  maxTokens: number;
}

/** A model that meters by itself, by run and call, what it was asked and what it told; it cuts some answers. */
export class MeteringModel {
  calls = 0;
  /** The sum of all that it told. */
  reported = 0n;
  private readonly metered = new Map<string, { counts: bigint; reserved: bigint }[]>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<MeteringModel> {
    const server = createServer();
    const model = new MeteringModel(server);
    server.on('request', (request, response) => {
      void json(request).then(
        async (body) => {
          const usage = model.meter(body as Call);
          await new Promise((done) => setTimeout(done, Math.random() * 25));
          if (!usage) return request.socket.destroy();
          return response.setHeader('content-type', 'application/json').end(JSON.stringify(usage));
        },
        () => undefined,
      );
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    return model;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What a run must have cost; and the same with its last call as all that was reserved for it. */
  of(run: string): { metered: bigint; lastAsReserved: bigint } {
    const calls = this.metered.get(run) ?? [];
    const metered = calls.reduce((sum, { counts }) => sum + counts, 0n);
    const last = calls.at(-1);
    return { metered, lastAsReserved: last ? metered - last.counts + last.reserved : 0n };
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Null = the answer is cut: the caller learns nothing, and must count all that it reserved. */
  private meter({ run, inputBytes, maxTokens }: Call): object | null {
    this.calls += 1;
    const mostInput = Math.ceil(inputBytes / 2);
    const reserved = BigInt(mostInput) * NANO.dearestPrompt + BigInt(maxTokens) * NANO.output;
    const inputTokens = Math.ceil(Math.random() * mostInput);
    const outputTokens = Math.ceil(Math.random() * maxTokens);
    const cost = BigInt(inputTokens) * NANO.prompt + BigInt(outputTokens) * NANO.output;
    const isCut = Math.random() < CUT_SHARE;
    const calls = this.metered.get(run) ?? [];
    this.metered.set(run, [...calls, { counts: isCut ? reserved : cost, reserved }]);
    if (isCut) return null;
    this.reported += cost;
    return {
      model: MODEL,
      inputTokens,
      outputTokens,
      cacheReadTokens: 0,
      cacheWrite5mTokens: 0,
      cacheWrite1hTokens: 0,
    };
  }
}
