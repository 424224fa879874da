import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import type { ModelBill } from './run-account.js';

/** What a run row starts with. Costs in nano-dollars. */
export interface RunOpening {
  runId: string;
  project: string;
  keyId: string;
  epoch: number;
  concurrentRuns: number;
  kind: 'completion' | 'task';
  model: string;
  requestId?: string;
  metadata?: Record<string, unknown>;
  maxCostNano: bigint;
  costKind: 'billed' | 'notional';
  instance: string;
  owner: string;
}

/** `key_ended`: revoked or expired. `key_changed`: its caller was verified before its last change. */
type Verdict = 'admitted' | 'key_ended' | 'key_changed' | 'concurrency';

type RunOutcome = 'succeeded' | 'failed' | 'cancelled' | 'timed_out' | 'budget_exceeded';

/** What a run row ends with; `usage` is null when nobody knows what the run used. */
export interface RunEnding {
  outcome: RunOutcome;
  errorCode?: string;
  finishReason?: string;
  usage: ModelBill[] | null;
  costNano: bigint | null;
  cliCostNano: bigint | null;
  overrunNano: bigint;
  timing?: Record<string, unknown>;
}

/** A run that its owner did not end. */
export interface AbandonedRun {
  id: string;
  project: string;
  key_id: string;
}

const LEASE = '60 seconds';

/**
 * The ledger: one row per run with exactly one terminal outcome, and one immutable usage row per model of it.
 * Every method joins the caller's transaction.
 */
@Injectable()
export class RunLedger {
  constructor(private readonly transactions: Transactions) {}

  /** Opens a run when its key is unchanged and has a free place. One round trip. */
  async admit(run: RunOpening): Promise<Verdict> {
    const [row] = await this.transactions.manager.query<{ verdict: Verdict }[]>(
      `SELECT admit_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) AS verdict`,
      [
        run.runId,
        run.project,
        run.keyId,
        run.epoch,
        run.concurrentRuns,
        run.kind,
        run.model,
        run.requestId,
        run.metadata,
        run.maxCostNano,
        run.costKind,
        run.instance,
        run.owner,
        LEASE,
      ],
    );
    return row?.verdict ?? 'key_ended';
  }

  /** False when the run had its outcome already: the first one stays. */
  async end(runId: string, ending: RunEnding): Promise<boolean> {
    const ended = await this.transactions.manager.query<unknown[]>(
      `WITH ended AS (
         UPDATE runs SET outcome = $2, error_code = $3, finish_reason = $4, cost_nano = $5, cli_cost_nano = $6,
                overrun_nano = $7, timing = $8, ended_at = now()
          WHERE id = $1 AND outcome IS NULL RETURNING id)
       SELECT id FROM ended`,
      [
        runId,
        ending.outcome,
        ending.errorCode,
        ending.finishReason,
        ending.costNano,
        ending.cliCostNano,
        ending.overrunNano,
        ending.timing,
      ],
    );
    if (ended.length === 0) return false;
    if (ending.usage && ending.usage.length > 0) await this.insertUsage(runId, ending.usage);
    return true;
  }

  async renewLeases(owner: string): Promise<void> {
    await this.transactions.manager.query(
      `UPDATE runs SET lease_until = now() + $2::interval WHERE owner = $1 AND outcome IS NULL`,
      [owner, LEASE],
    );
  }

  /**
   * Open runs that nobody works on: those of this installation's earlier processes, and all whose lease is
   * over. Locked until the transaction ends, so that two sweepers never take the same one; in the order of their
   * projects, because each end locks its project's audit chain.
   */
  takeAbandoned(instance: string, owner: string): Promise<AbandonedRun[]> {
    return this.transactions.manager.query(
      `SELECT id, project, key_id FROM runs
        WHERE outcome IS NULL AND (lease_until < now() OR (instance = $1 AND owner <> $2))
        ORDER BY project LIMIT 500 FOR UPDATE SKIP LOCKED`,
      [instance, owner],
    );
  }

  private async insertUsage(runId: string, usage: ModelBill[]): Promise<void> {
    const rows = usage.map((bill) => ({
      model: bill.model,
      calls: bill.calls,
      input_tokens: bill.inputTokens,
      output_tokens: bill.outputTokens,
      cache_read_tokens: bill.cacheReadTokens,
      cache_write_5m_tokens: bill.cacheWrite5mTokens,
      cache_write_1h_tokens: bill.cacheWrite1hTokens,
      cost_nano: bill.costNano?.toString() ?? null,
      price_version: bill.priceVersion,
    }));
    await this.transactions.manager.query(
      `INSERT INTO run_usage
       SELECT $1, row.* FROM jsonb_to_recordset($2::jsonb) AS row(
         model text, calls integer, input_tokens bigint, output_tokens bigint, cache_read_tokens bigint,
         cache_write_5m_tokens bigint, cache_write_1h_tokens bigint, cost_nano bigint, price_version text)`,
      [runId, JSON.stringify(rows)],
    );
  }
}
