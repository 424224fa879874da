import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Test } from '@nestjs/testing';
import pg from 'pg';
import { BudgetsModule, RunAccounts, type RunEnding, RunLedger, type RunOpening } from '@app/budgets';
import { Clock, CommonModule, newId } from '@app/common';
import { ConfigModule, loadConfig } from '@app/config';
import { DatabaseModule, Transactions } from '@app/database';

/** A budget in the unit that it is stored in: nano-dollars, tokens, runs. */
interface NewBudget {
  project: string;
  keyId?: string;
  unit?: 'usd' | 'tokens' | 'requests';
  limit: bigint | number;
  period?: 'day' | 'week' | 'month' | 'total';
  timeZone?: string;
}

export const ENDED: RunEnding = {
  outcome: 'succeeded',
  usage: [],
  costNano: 0n,
  cliCostNano: null,
  overrunNano: 0n,
  used: { nano: 0n, tokens: 0n },
};

/** The part of a server that knows money, as one process of an installation has it, on ten connections of its own. */
export async function startLedgerProcess(databaseUrl: string, clock?: Clock) {
  const home = mkdtempSync(join(tmpdir(), 'ledger-process-'));
  const config = loadConfig({}, { CLAUDE_API_HOME: home, DATABASE_URL: databaseUrl });
  const imports = [ConfigModule.of(config), CommonModule, DatabaseModule.forUrl(databaseUrl), BudgetsModule];
  const builder = Test.createTestingModule({ imports });
  if (clock) builder.overrideProvider(Clock).useValue(clock);
  const app = await (await builder.compile()).init();
  const client = new pg.Pool({ connectionString: databaseUrl, max: 4 });
  // A connection that rests is lost with its server: the next query has another.
  client.on('error', () => undefined);
  const ledger = app.get(RunLedger);
  const rows = async (sql: string, values: unknown[] = []) => (await client.query(sql, values)).rows;
  const opening = (keyId: string, over: Partial<RunOpening> = {}): RunOpening => ({
    ...{ runId: newId('run'), project: 'p', keyId, epoch: 0, concurrentRuns: 1_000 },
    ...{ requestsPerMinute: null, first: { nano: 1_000n, tokens: 10n }, kind: 'completion' },
    ...{ model: 'claude-haiku-5-5', maxCostNano: 1_000_000_000n, costKind: 'billed' },
    ...{ instance: 'i', owner: 'o', ...over },
  });
  return {
    app,
    ledger,
    rows,
    opening,
    accounts: app.get(RunAccounts),
    transactions: app.get(Transactions),
    /** A project with one key. */
    async key(project = 'p'): Promise<string> {
      const id = newId('key');
      await client.query('INSERT INTO projects (id) VALUES ($1) ON CONFLICT DO NOTHING', [project]);
      await client.query(
        `INSERT INTO api_keys (id, project_id, name, tier, kind, agents, skills, status, created_by, created_at)
         VALUES ($1, $2, 'test', 'enterprise', 'inference', '{}', '{}', 'active', 'operator', now())`,
        [id, project],
      );
      return id;
    },
    async budget({ project, keyId, unit, limit, period, timeZone }: NewBudget): Promise<string> {
      const id = newId('budget');
      await client.query(
        `INSERT INTO budgets (id, project, key_id, unit, limit_n, period, time_zone)
         VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [id, project, keyId, unit ?? 'usd', String(limit), period ?? 'month', timeZone ?? 'UTC'],
      );
      return id;
    },
    /** Of one budget that has one window. */
    async window(budget: string): Promise<{ limit: number; held: number; settled: number; overrun: number }> {
      const [row] = await rows(
        `SELECT limit_n::float8 AS limit, held_n::float8 AS held, settled_n::float8 AS settled,
                overrun_n::float8 AS overrun FROM budget_windows WHERE budget_id = $1`,
        [budget],
      );
      return row;
    },
    /** Of a run of the project `p`. */
    end: (runId: string, ending: RunEnding) =>
      ledger.end({ id: runId, project: 'p', key_id: 'key_of_a_test' }, ending),
    stop: async () => {
      await client.end();
      await app.close();
      rmSync(home, { recursive: true });
    },
  };
}

export type LedgerProcess = Awaited<ReturnType<typeof startLedgerProcess>>;
