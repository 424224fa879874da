import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test, type TestingModule } from '@nestjs/testing';
import pg from 'pg';
import { AuthModule, KeysService, operatorPrincipal } from '@app/auth';
import { BudgetsModule, BudgetsService } from '@app/budgets';
import { AppError, CommonModule, newId, type Principal } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule } from '@app/database';
import { PermissionsModule } from '@app/permissions';
import { RunsModule } from '@app/runs';
import { RunAdmission } from '../../libs/runs/src/run-admission.js';
import { RunBook } from '../../libs/runs/src/run-book.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

const PROJECTS = 5;
const KEYS = 50;
/** Fewer than the two processes have connections: nobody waits for one. */
const CLIENTS = 16;
const SECONDS = 6;
/** Also where the machine is so busy that it takes longer. */
const LEAST_RUNS = 150;
const MODEL = 'claude-haiku-5-5';
const CALL = { model: MODEL, inputBytes: 2_000, maxTokens: 2_000, leastTokens: 1 };
const NO_CACHE = { cacheReadTokens: 0, cacheWrite5mTokens: 0, cacheWrite1hTokens: 0 };
const SECRETS = { KEY_PEPPER: 'p'.repeat(32), AUDIT_KEY: 'a'.repeat(32) };

const any = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)]!;
/** What others refuse is no failure. */
const REFUSALS = ['budget_exceeded', 'rate_limited', 'concurrency_limited', 'conflict', 'not_found'];

/** Each project has budgets in all units, and so has each of its keys: a run locks up to six windows. */
describe('budgets that many runs and their managers change at once', () => {
  let database: TestDatabase;
  let client: pg.Client;
  let home: string;
  let processes: TestingModule[];
  let principals: Principal[];
  const operator = operatorPrincipal();
  const failures: unknown[] = [];
  let ended = 0;
  const rows = async (sql: string) => (await client.query(sql)).rows;

  beforeAll(async () => {
    database = await createTestDatabase();
    home = await mkdtemp(join(tmpdir(), 'contention-'));
    client = new pg.Client(database.url);
    await client.connect();
    processes = await Promise.all([1, 2].map((n) => startProcess(join(home, String(n)))));
    const keys = processes[0]!.get(KeysService);
    principals = [];
    await Promise.all(
      Array.from({ length: KEYS }, async (_, index) => {
        const project = `p${index % PROJECTS}`;
        const { id } = await keys.create(operator, { project, tier: 'enterprise' });
        principals.push((await keys.principalOf(id))!);
      }),
    );
    const subjects = principals.flatMap(({ keyId, project }, index) => [
      { key: keyId },
      ...(principals.findIndex((other) => other.project === project) === index ? [{ project }] : []),
    ]);
    await Promise.all(subjects.map((subject) => setAll(processes[0]!.get(BudgetsService), subject)));
  }, 120_000);
  afterAll(async () => {
    await client.end();
    await database.drop();
    await rm(home, { recursive: true });
  });

  async function startProcess(folder: string): Promise<TestingModule> {
    const env = { CLAUDE_API_HOME: folder, DATABASE_URL: database.url, ...SECRETS };
    const ground = [ConfigModule.of(loadConfig({}, env)), CommonModule, DatabaseModule.forUrl(database.url)];
    const imports = [...ground, PermissionsModule, AuthModule, BudgetsModule, RunsModule];
    const module = await Test.createTestingModule({ imports }).setLogger(new SilentLog()).compile();
    return module.init();
  }

  async function setAll(budgets: BudgetsService, subject: { key?: string; project?: string }): Promise<void> {
    await budgets.set(operator, { ...subject, limitUsd: 0.05, period: 'month' });
    await budgets.set(operator, { ...subject, limitTokens: 500_000, period: 'day' });
    await budgets.set(operator, { ...subject, limitRequests: 400, period: 'total' });
  }

  /** A run of a few model calls, some of which tell nothing. */
  async function run(process: TestingModule, principal: Principal): Promise<void> {
    const runId = newId('run');
    const { account } = await process.get(RunAdmission).open(principal, {
      ...{ runId, concurrentRuns: 1_000, requestsPerMinute: 1_000_000, kind: 'completion', model: MODEL },
      ...{ maxCostNano: 10n ** 9n, promptBytes: 200, leastTokens: 256 },
    });
    for (let calls = any([0, 1, 2, 3]); calls > 0; calls--) {
      const verdict = await account.authorise(CALL);
      if ('refused' in verdict) break;
      const outputTokens = any([1, verdict.maxTokens, verdict.maxTokens + 50, null]);
      account.record({ ...CALL, ...verdict }, { ...NO_CACHE, inputTokens: 500, outputTokens });
    }
    await process.get(RunBook).end(principal, runId, {
      ...{ outcome: 'succeeded', usage: account.usage, costNano: account.costNano, cliCostNano: null },
      ...{ overrunNano: account.overrunNano, used: account.used },
    });
    ended += 1;
  }

  async function manage(budgets: BudgetsService): Promise<void> {
    const { data } = await budgets.list(operator, { project: `p${any([0, 1, 2, 3, 4])}` });
    const { id, unit, keyId, project } = any(data);
    const amount = { usd: 0.01, tokens: 100_000, requests: 100 }[unit];
    await any([
      () => budgets.grant(operator, id, { amount }),
      () => budgets.update(operator, id, limitIn(unit, amount * any([0, 1, 5]))),
      () => budgets.update(operator, id, { enabled: any([true, false]) }),
      () => budgets.remove(operator, id),
      () => setAll(budgets, keyId ? { key: keyId } : { project }),
    ])();
  }

  async function untilThen(isOver: () => boolean, work: () => Promise<void>): Promise<void> {
    while (!isOver()) {
      await work().catch((error: unknown) => {
        const isRefusal = error instanceof AppError && REFUSALS.includes(error.code);
        if (!isRefusal) failures.push(error);
      });
    }
  }

  it('never lock each other for ever, hold nothing in the end, and agree with the ledger', async () => {
    const end = performance.now() + SECONDS * 1000;
    const isOver = () => performance.now() > end && ended >= LEAST_RUNS;
    const clients = Array.from({ length: CLIENTS }, (_, index) => {
      const process = processes[index % 2]!;
      return index % 6 < 2
        ? untilThen(isOver, () => manage(process.get(BudgetsService)))
        : untilThen(isOver, () => run(process, any(principals)));
    });
    await Promise.all(clients);
    // What a connection knows of deadlocks is counted when it ends.
    for (const process of processes) await process.close();

    expect(failures).toEqual([]);
    expect(SilentLog.errors.filter((line) => !line.includes('used more than was held'))).toEqual([]);
    expect(
      await rows('SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()'),
    ).toEqual([{ deadlocks: 0 }]);
    expect(await rows('SELECT id FROM runs WHERE outcome IS NULL')).toEqual([]);
    const [{ grants, thresholds }] = await rows(
      `SELECT (SELECT count(*)::int FROM budget_grants) AS grants,
              (SELECT count(*)::int FROM budget_alerts) AS thresholds`,
    );
    expect([grants > 5, thresholds > 0]).toEqual([true, true]);
    const wrong = await rows(
      `SELECT w.*, l.used FROM budget_windows w JOIN budgets b ON b.id = w.budget_id
         JOIN LATERAL (
           SELECT coalesce(sum(CASE b.unit WHEN 'usd' THEN r.settled_nano WHEN 'tokens' THEN r.settled_tokens ELSE 1 END), 0) AS used
             FROM runs r WHERE w.budget_id = ANY(r.budget_ids)) l ON true
        WHERE w.held_n <> 0 OR w.settled_n + w.overrun_n <> l.used OR w.settled_n > w.limit_n + w.granted_n`,
    );
    expect(wrong).toEqual([]);
  }, 120_000);
});

function limitIn(unit: 'usd' | 'tokens' | 'requests', limit: number) {
  return { usd: { limitUsd: limit }, tokens: { limitTokens: limit }, requests: { limitRequests: limit } }[
    unit
  ];
}

/** Keeps what is an error: a settlement that failed is tried again, and only the log knows. */
class SilentLog {
  static readonly errors: string[] = [];
  log(): void {}
  warn(): void {}
  error(line: object): void {
    SilentLog.errors.push(
      JSON.stringify(line, (_, value) => (value instanceof Error ? value.message : value)),
    );
  }
}
