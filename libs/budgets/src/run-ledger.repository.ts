import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import {
  type Admission,
  type AdmissionRow,
  admissionOf,
  type BudgetUnit,
  type RefusalRow,
  refusalOf,
} from './allowance.js';
import type { Amounts, HoldAsk, HoldVerdict, ModelBill } from './run-account.js';

/** What a run row starts with. Costs in nano-dollars. */
export interface RunOpening {
  runId: string;
  project: string;
  keyId: string;
  epoch: number;
  concurrentRuns: number;
  /** Null = the rate was taken when the work was accepted. */
  requestsPerMinute: number | null;
  first: Amounts;
  kind: 'completion' | 'task';
  model: string;
  requestId?: string;
  metadata?: Record<string, unknown>;
  maxCostNano: bigint;
  costKind: 'billed' | 'notional';
  instance: string;
  owner: string;
}

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
  /** What budgets are charged; null = what was observed and reserved until the run's process was lost. */
  used: Amounts | null;
  timing?: Record<string, unknown>;
}

/** What the end of a run brought about in its budgets. */
export interface BudgetNews {
  /** Thresholds that were reached for the first time in their window. */
  alerts: { budget: string; unit: BudgetUnit; pct: number }[];
  /** What a model reported above all that was held for it. */
  overruns: { budget: string; unit: BudgetUnit; amount: string }[];
}

/** A run that its owner did not end. */
export interface AbandonedRun {
  id: string;
  project: string;
  key_id: string;
}

const LEASE = '60 seconds';

/**
 * The ledger: one row per run with exactly one terminal outcome, one immutable usage row per model of it, and what
 * it holds of its budgets until then. Every method joins the caller's transaction.
 */
@Injectable()
export class RunLedger {
  constructor(private readonly transactions: Transactions) {}

  /** Opens a run, with its first hold, when key, rate, concurrency and budgets allow it. One round trip. */
  async admit(run: RunOpening): Promise<Admission> {
    const [row] = await this.transactions.manager.query<{ said: AdmissionRow }[]>(
      `SELECT admit_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) AS said`,
      [
        ...[run.runId, run.project, run.keyId, run.epoch, run.concurrentRuns, run.requestsPerMinute],
        ...[run.first.nano, run.first.tokens, run.kind, run.model, run.requestId, run.metadata],
        ...[run.maxCostNano, run.costKind, run.instance, run.owner, LEASE],
      ],
    );
    return admissionOf(row!.said);
  }

  /** Takes the rate of work that will wait, when something is left of every budget. Holds nothing. */
  async checkAllowance(project: string, keyId: string, requestsPerMinute: number): Promise<Admission> {
    const [row] = await this.transactions.manager.query<{ said: AdmissionRow }[]>(
      'SELECT check_allowance($1, $2, $3) AS said',
      [project, keyId, requestsPerMinute],
    );
    return admissionOf(row!.said);
  }

  /** Writes down what a run has used, and holds what its next model call needs. */
  async extend(runId: string, ask: HoldAsk): Promise<HoldVerdict> {
    const [row] = await this.transactions.manager.query<{ said: ExtendRow }[]>(
      'SELECT extend_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS said',
      [
        ...[runId, ask.observed.nano, ask.observed.tokens, ask.open.nano, ask.open.tokens, ask.input.nano],
        ...[ask.perTokenNano, ask.input.tokens, ask.mostTokens, ask.leastTokens],
      ],
    );
    const { verdict, max_tokens: maxTokens, refusal } = row!.said;
    if (verdict === 'extended') return { maxTokens };
    return verdict === 'ended' ? { ended: true } : { refused: refusalOf(refusal!) };
  }

  /** Null when the run had its outcome already: the first one stays. */
  async end(runId: string, ending: RunEnding): Promise<BudgetNews | null> {
    const [row] = await this.transactions.manager.query<{ said: BudgetNews & { ended: boolean } }[]>(
      'SELECT end_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) AS said',
      [
        ...[
          runId,
          ending.outcome,
          ending.errorCode,
          ending.finishReason,
          ending.costNano,
          ending.cliCostNano,
        ],
        ...[ending.overrunNano, ending.timing, JSON.stringify(usageRows(ending.usage ?? []))],
        ...[ending.used?.nano, ending.used?.tokens],
      ],
    );
    return row!.said.ended ? row!.said : null;
  }

  async renewLeases(runIds: string[]): Promise<void> {
    await this.transactions.manager.query(
      `UPDATE runs SET lease_until = now() + $2::interval WHERE id = ANY($1) AND outcome IS NULL`,
      [runIds, LEASE],
    );
  }

  /**
   * An open run that nobody works on: of this installation's earlier processes, or one whose lease is over. Locked
   * until the transaction ends, and passed over by others. One at a time: who holds the chain and the windows of
   * one project while it waits for those of another may wait for ever.
   */
  async takeAbandoned(instance: string, owner: string): Promise<AbandonedRun | undefined> {
    const [run] = await this.transactions.manager.query<AbandonedRun[]>(
      `SELECT id, project, key_id FROM runs
        WHERE outcome IS NULL AND (lease_until < now() OR (instance = $1 AND owner <> $2))
        LIMIT 1 FOR UPDATE SKIP LOCKED`,
      [instance, owner],
    );
    return run;
  }
}

interface ExtendRow {
  verdict: 'extended' | 'refused' | 'ended';
  max_tokens: number;
  refusal: RefusalRow | null;
}

function usageRows(usage: ModelBill[]): object[] {
  return usage.map((bill) => ({
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
}
