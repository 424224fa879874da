import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import { CommonModule } from '@app/common';
import { type AppConfig, ConfigModule, loadConfig } from '@app/config';
import {
  CliExecutor,
  ExecutorModule,
  type ModelCall,
  type ModelUsage,
  type Outcome,
  type RunEvent,
  RunMeter,
  type RunSpec,
} from '@app/executor';
import { ProcessPool } from '../../libs/executor/src/pool/process-pool.js';
import { ModelStandIn } from '../support/model-stand-in.js';

class FreeMeter extends RunMeter {
  readonly calls: ModelCall[] = [];
  override async authorise(call: ModelCall) {
    this.calls.push(call);
    return { maxTokens: call.maxTokens };
  }
  override record(_: ModelCall, _usage: ModelUsage | null) {}
}

describe('the pool', () => {
  let standIn: ModelStandIn;
  let home: string;
  let config: AppConfig;
  let app: TestingModule;
  let runs = 0;
  beforeAll(async () => {
    standIn = await ModelStandIn.start();
    home = await mkdtemp(join(tmpdir(), 'pool-spec-'));
    const env = { CLAUDE_API_HOME: home, ANTHROPIC_API_KEY: 'sk-ant-real', ANTHROPIC_BASE_URL: standIn.url };
    config = loadConfig({}, { ...env, SANDBOX: process.env.SB ?? 'bubblewrap' });
    app = await Test.createTestingModule({
      imports: [CommonModule, ConfigModule.of(config), ExecutorModule],
    }).compile();
    await app.init();
  });
  beforeEach(() => standIn.reset());
  afterAll(async () => {
    await app.close();
    await standIn.stop();
    await rm(home, { recursive: true });
  });
  async function run(over: Partial<RunSpec> = {}) {
    const events: RunEvent[] = [];
    const spec = { runId: `run_${(runs += 1)}`, prompt: 'and now?', model: 'claude-haiku-5-5', sampling: {} };
    const means = { limits: { deadlineMs: 20_000 }, meter: new FreeMeter(), recycleFor: 'key_1' };
    const t0 = performance.now();
    let first = 0;
    for await (const event of app
      .get(CliExecutor)
      .run({ ...spec, ...means, ...over }, new AbortController().signal)) {
      if (event.type === 'token') first ||= performance.now() - t0;
      events.push(event);
    }
    const { outcome } = events.at(-1) as { outcome: Outcome };
    return { events, outcome, ms: performance.now() - t0, first };
  }

  it('x', async () => {
    const ms: string[] = [];
    for (let i = 0; i < 60; i += 1) {
      const { outcome, ms: took, first, events } = await run({ prompt: `prompt ${i}` });
      if (outcome.status !== 'succeeded') console.log(outcome);
      ms.push(`${took.toFixed(0)}/${first.toFixed(0)}${(events[0] as any).warm ? 'w' : 'c'}`);
      await new Promise((r) => setTimeout(r, i < 30 ? 30 : 0));
    }
    console.log(ms.join(' '), JSON.stringify(app.get(ProcessPool).state(), null, 1));
    console.log(JSON.stringify(standIn.journal.at(-1)?.body));
    console.log(JSON.stringify(standIn.journal.at(0)?.body));
  });
});
