import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type INestApplicationContext } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AuthModule, KeysService } from '@app/auth';
import { CommonModule, newId, type Principal } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule } from '@app/database';
import { PermissionsModule } from '@app/permissions';
import { RunsModule } from '@app/runs';
import { RunAdmission } from '../../libs/runs/src/run-admission.js';
import { RunBook } from '../../libs/runs/src/run-book.js';
import { ENDED, type LedgerProcess, startLedgerProcess } from '../support/ledger-process.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { percentiles } from './percentiles.js';
import { report } from './report.js';

const PAIRS = 1_000;
const MODEL = 'claude-haiku-5-5';

/** Admission and end of a run as the service does them: rate, concurrency, two budgets, ledger and audit; durable. */
describe('admitting and settling a run', () => {
  let database: TestDatabase;
  let home: string;
  let app: INestApplicationContext;
  let house: LedgerProcess;

  beforeAll(async () => {
    database = await createTestDatabase();
    home = await mkdtemp(join(tmpdir(), 'admit-'));
    const config = loadConfig({}, { CLAUDE_API_HOME: home, DATABASE_URL: database.url });
    const ground = [ConfigModule.of(config), CommonModule, DatabaseModule.forUrl(database.url)];
    const imports = [...ground, PermissionsModule, AuthModule, RunsModule];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
    house = await startLedgerProcess(database.url);
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    await app.close();
    await database.drop();
    await rm(home, { recursive: true });
  });

  /** Keys of so many projects, each with a budget of its own beside its project's. */
  async function principals(count: number, projects: number): Promise<Principal[]> {
    const made: Principal[] = [];
    for (let index = 0; index < count; index++) {
      const project = `p${count}-${index % projects}`;
      const keyId = await house.key(project);
      await house.budget({ project, keyId, limit: 10n ** 15n });
      if (index < projects) await house.budget({ project, limit: 10n ** 15n });
      made.push((await app.get(KeysService).principalOf(keyId))!);
    }
    return made;
  }

  async function pair(principal: Principal): Promise<void> {
    const runId = newId('run');
    await app.get(RunAdmission).open(principal, {
      ...{ runId, concurrentRuns: 1_000, requestsPerMinute: 1_000_000, kind: 'completion', model: MODEL },
      ...{ maxCostNano: 10n ** 9n, promptBytes: 200, leastTokens: 256 },
    });
    await app.get(RunBook).end(principal, runId, { ...ENDED, used: { nano: 4_700n, tokens: 19n } });
  }

  /** Pairs a second, with so many clients at once. */
  async function rate(callers: Principal[], clients: number): Promise<number> {
    let next = 0;
    const startedAt = performance.now();
    const client = async () => {
      while (next < PAIRS) await pair(callers[next++ % callers.length]!);
    };
    await Promise.all(Array.from({ length: clients }, client));
    return PAIRS / ((performance.now() - startedAt) / 1000);
  }

  it('takes less than 2 ms for both, and keeps up with many keys and with one', async () => {
    const [one] = await principals(1, 1);
    const many = await principals(100, 100);
    const shared = await principals(101, 1);
    for (let index = 0; index < 200; index++) await pair(one!);
    const samples: number[] = [];
    for (let index = 0; index < 500; index++) {
      const startedAt = performance.now();
      await pair(one!);
      samples.push(performance.now() - startedAt);
    }
    // Control: two durable transactions of one statement each, on this disk and under this load.
    await house.rows('CREATE TABLE control (n integer); INSERT INTO control VALUES (0)');
    const control: number[] = [];
    for (let index = 0; index < 500; index++) {
      const startedAt = performance.now();
      for (let turn = 0; turn < 2; turn++) await house.rows('UPDATE control SET n = n + 1');
      control.push(performance.now() - startedAt);
    }
    const result = {
      ...{ bench: 'admit', unit: 'ms', pair: percentiles(samples), control: percentiles(control) },
      pairs_per_second: {
        hundred_keys: await rate(many, 10),
        hundred_keys_of_one_project: await rate(shared, 10),
        one_key: await rate([one!], 10),
      },
    };
    report(result);
    expect(result.pair.p50).toBeLessThan(2);
    expect(result.pairs_per_second.hundred_keys).toBeGreaterThan(500);
    expect(result.pairs_per_second.one_key).toBeGreaterThan(200);
  }, 300_000);
});
