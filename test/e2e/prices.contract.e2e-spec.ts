import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Query,
  query,
  type SDKResultMessage,
  type SDKUserMessage,
} from '@anthropic-ai/claude-agent-sdk';
import { childEnvironment } from '@app/config';
import { PRICE_TABLE } from '../../libs/budgets/src/price-table.js';
import { Prices, type TokenCounts } from '../../libs/budgets/src/prices.js';

const NONE = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
};
type Usage = typeof NONE;

const PROBES: [string, Usage][] = [
  ['input', { ...NONE, inputTokens: 100_000 }],
  ['output', { ...NONE, outputTokens: 100_000 }],
  ['cache read', { ...NONE, cacheReadTokens: 100_000 }],
  ['cache write, 5 minutes', { ...NONE, cacheWrite5mTokens: 100_000 }],
  ['cache write, 1 hour', { ...NONE, cacheWrite1hTokens: 100_000 }],
  [
    'a long prompt of all classes',
    {
      ...NONE,
      inputTokens: 7,
      cacheReadTokens: 90_000,
      cacheWrite5mTokens: 10_000,
      cacheWrite1hTokens: 1_000,
      outputTokens: 500,
    },
  ],
  ['a prompt of 150,000 tokens', { ...NONE, inputTokens: 150_000 }],
];

describe('the prices that the pinned CLI computes', () => {
  const models = PRICE_TABLE.flatMap((row) => row.models);
  let usage: Usage = NONE;
  let server: Server;
  let home: string;
  let session: PricedSession;

  beforeAll(async () => {
    server = modelApi(() => usage).listen(0, '127.0.0.1');
    await once(server, 'listening');
    home = await mkdtemp(join(tmpdir(), 'prices-spec-'));
    session = new PricedSession(home, (server.address() as AddressInfo).port);
  });
  afterAll(async () => {
    await session.close();
    server.close();
    await rm(home, { recursive: true, maxRetries: 5, retryDelay: 100 });
  });

  it.each(models)('are ours: %s', async (model) => {
    await session.use(model);
    for (const [name, tokens] of PROBES) {
      usage = tokens;
      expect({ name, ...(await session.costOfTurn(model)) }).toEqual({
        name,
        basis: 'list',
        nano: new Prices().cost(model, tokens satisfies TokenCounts),
      });
    }
  });
});

/** One CLI process that is asked turn after turn; says what each turn cost. */
class PricedSession {
  private readonly query: Query;
  private readonly results: AsyncIterator<SDKResultMessage>;
  private ask: (message: SDKUserMessage | null) => void;
  private readonly costs = new Map<string, number>();

  constructor(home: string, port: number) {
    this.query = query({
      prompt: this.turns(),
      options: {
        cwd: home,
        tools: [],
        settingSources: [],
        strictMcpConfig: true,
        permissionMode: 'dontAsk',
        persistSession: false,
        systemPrompt: '',
        thinking: { type: 'disabled' },
        env: {
          ...childEnvironment(),
          HOME: home,
          CLAUDE_CONFIG_DIR: join(home, 'config'),
          ANTHROPIC_BASE_URL: `http://127.0.0.1:${port}`,
          ANTHROPIC_API_KEY: 'stand-in',
          CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
          // Else Opus 4.0 and 4.1 are answered by Opus 5.5, and a prompt this long is summed up first.
          CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP: '1',
          DISABLE_COMPACT: '1',
          DISABLE_AUTOUPDATER: '1',
        },
      },
    });
    this.results = results(this.query);
  }

  async use(model: string): Promise<void> {
    await this.query.setModel(model);
  }

  async costOfTurn(model: string): Promise<{ basis?: string; nano?: bigint }> {
    this.ask({
      type: 'user',
      message: { role: 'user', content: 'hi' },
      parent_tool_use_id: null,
      session_id: '',
    });
    const { value } = await this.results.next();
    const priced = (value as SDKResultMessage).modelUsage[model];
    if (!priced) return {};
    const usd = priced.costUSD - (this.costs.get(model) ?? 0);
    this.costs.set(model, priced.costUSD);
    return { basis: priced.costBasis, nano: BigInt(Math.round(usd * 1e9)) };
  }

  async close(): Promise<void> {
    this.ask(null);
    await this.results.next();
  }

  private async *turns(): AsyncGenerator<SDKUserMessage> {
    for (;;) {
      const message = await new Promise<SDKUserMessage | null>((resolve) => (this.ask = resolve));
      if (!message) return;
      yield message;
    }
  }
}

async function* results(messages: Query): AsyncGenerator<SDKResultMessage> {
  for await (const message of messages) if (message.type === 'result') yield message;
}

/** A Messages API that reports the usage it is told to; what is not streamed is the CLI's check of a model. */
function modelApi(usage: () => Usage): Server {
  return createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { model, stream } = JSON.parse(Buffer.concat(pieces).toString('utf8')) as {
        model: string;
        stream?: boolean;
      };
      const message = { id: 'msg_1', type: 'message', role: 'assistant', model, stop_sequence: null };
      if (!stream) {
        const content = [{ type: 'text', text: 'ok' }];
        const nothing = { input_tokens: 0, output_tokens: 0 };
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ ...message, content, stop_reason: 'end_turn', usage: nothing }));
        return;
      }
      const now = usage();
      const start = {
        input_tokens: now.inputTokens,
        output_tokens: 0,
        cache_read_input_tokens: now.cacheReadTokens,
        cache_creation_input_tokens: now.cacheWrite5mTokens + now.cacheWrite1hTokens,
        cache_creation: {
          ephemeral_5m_input_tokens: now.cacheWrite5mTokens,
          ephemeral_1h_input_tokens: now.cacheWrite1hTokens,
        },
      };
      response.setHeader('content-type', 'text/event-stream');
      const send = (type: string, data: object) =>
        response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
      send('message_start', { message: { ...message, content: [], stop_reason: null, usage: start } });
      send('content_block_start', { index: 0, content_block: { type: 'text', text: '' } });
      send('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'ok' } });
      send('content_block_stop', { index: 0 });
      send('message_delta', {
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: now.outputTokens },
      });
      send('message_stop', {});
      response.end();
    });
  });
}
