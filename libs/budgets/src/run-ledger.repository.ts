import { Injectable } from '@nestjs/common';
import { type AuditEvent, AuditLog } from '@app/audit';
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

/** A run that has no outcome yet. */
export interface OpenRun {
  id: string;
  project: string;
  key_id: string;
}

const LEASE = '60 seconds';

/**
 * The ledger: one row per run with exactly one terminal outcome, one immutable usage row per model of it, and what
 * it holds of its budgets until then. A run's start and its end are in the audit if they are here. Every method
 * joins the caller's transaction.
 */
@Injectable()
export class RunLedger {
  constructor(
    private readonly transactions: Transactions,
    private readonly audit: AuditLog,
  ) {}

  /** Opens a run, with its first hold, when key, rate, concurrency and budgets allow it. One round trip. */
  async admit(run: RunOpening): Promise<Admission> {
    const said = await this.audit.record<AdmissionRow>(startOf(run), {
      call: 'admit_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)',
      values: [
        ...[run.runId, run.project, run.keyId, run.epoch, run.concurrentRuns, run.requestsPerMinute],
        ...[run.first.nano, run.first.tokens, run.kind, run.model, run.requestId, run.metadata],
        ...[run.maxCostNano, run.costKind, run.instance, run.owner, LEASE],
      ],
      events: `(said->>'verdict' = 'admitted')::int`,
    });
    return admissionOf(said);
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

  /** Null when the run had its outcome already: the first one stays. One round trip. */
  async end(run: OpenRun, ending: RunEnding): Promise<BudgetNews | null> {
    const change = {
      call: 'end_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
      values: [
        ...[run.id, ending.outcome, ending.errorCode, ending.finishReason, ending.costNano],
        ...[ending.cliCostNano, ending.overrunNano, ending.timing],
        ...[JSON.stringify(usageRows(ending.usage ?? [])), ending.used?.nano, ending.used?.tokens],
      ],
      events: `CASE WHEN (said->>'ended')::boolean
        THEN 1 + jsonb_array_length(said->'alerts') + jsonb_array_length(said->'overruns') ELSE 0 END`,
    };
    const said = await this.audit.record<BudgetNews & { ended: boolean }>(
      endOf(run, ending),
      change,
      async (news) => {
        for (const event of eventsOf(run, news)) await this.audit.append(event);
      },
    );
    return said.ended ? said : null;
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
  async takeAbandoned(instance: string, owner: string): Promise<OpenRun | undefined> {
    const [run] = await this.transactions.manager.query<OpenRun[]>(
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

function startOf({ project, keyId, runId, kind, model, requestId }: RunOpening): AuditEvent {
  const actor = { kind: 'key', id: keyId } as const;
  const target = { kind: 'run', id: runId };
  return { type: 'run.started', project, actor, target, outcome: 'ok', diff: { kind, model }, requestId };
}

function endOf({ id, project, key_id: keyId }: OpenRun, ending: RunEnding): AuditEvent {
  const { outcome, errorCode, costNano } = ending;
  return {
    type: 'run.ended',
    ...{ project, actor: { kind: 'key', id: keyId }, target: { kind: 'run', id } },
    outcome: outcome === 'succeeded' ? 'ok' : 'failed',
    diff: { outcome, error_code: errorCode ?? null, cost_nano: costNano?.toString() ?? null },
  };
}

function eventsOf({ id, project, key_id: keyId }: OpenRun, { alerts, overruns }: BudgetNews): AuditEvent[] {
  const about = { project, actor: { kind: 'key', id: keyId }, outcome: 'ok' } as const;
  const of = (type: 'budget.threshold' | 'budget.overrun', news: BudgetNews['alerts' | 'overruns']) =>
    news.map(({ budget, ...diff }) => {
      const target = { kind: 'budget', id: budget };
      return { ...about, type, target, diff: { ...diff, run: id } };
    });
  return [...of('budget.threshold', alerts), ...of('budget.overrun', overruns)];
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
