import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import type { BudgetUnit } from './allowance.js';
import type { Budget, Period, RunHold } from './budget.js';

interface BudgetRow {
  id: string;
  project: string;
  key_id: string | null;
  unit: BudgetUnit;
  limit_n: string;
  period: Period;
  time_zone: string;
  enabled: boolean;
  created_at: Date;
  starts_at: Date | null;
  ends_at: Date | null;
  granted_n: string;
  held_n: string;
  settled_n: string;
  overrun_n: string;
}

/** Every budget with the window of this moment, which may not have been needed yet. */
const BUDGETS = `
  SELECT b.*, nullif(span.starts_at, '-infinity') AS starts_at, nullif(span.ends_at, 'infinity') AS ends_at,
         coalesce(w.granted_n, 0) AS granted_n, coalesce(w.held_n, 0) AS held_n,
         coalesce(w.settled_n, 0) AS settled_n, coalesce(w.overrun_n, 0) AS overrun_n
    FROM budgets b CROSS JOIN LATERAL budget_window_at(b.period, b.time_zone, now()) AS span
    LEFT JOIN budget_windows w ON w.budget_id = b.id AND w.starts_at = span.starts_at
   WHERE b.removed_at IS NULL`;

/** The administration's queries on budgets. A `project` of undefined means all projects. */
@Injectable()
export class BudgetsRepository {
  constructor(private readonly transactions: Transactions) {}

  private get manager() {
    return this.transactions.manager;
  }

  /** `ref` is a key's id, or the kid of one of its secrets. */
  async keyOf(
    ref: string,
    project: string | undefined,
  ): Promise<{ id: string; project: string } | undefined> {
    const [key] = await this.manager.query<{ id: string; project: string }[]>(
      `SELECT id, project_id AS project FROM api_keys
        WHERE (id = $1 OR id = (SELECT key_id FROM api_key_secrets WHERE kid = $1))
          AND ($2::text IS NULL OR project_id = $2)`,
      [ref, project],
    );
    return key;
  }

  async projectExists(project: string): Promise<boolean> {
    const rows = await this.manager.query<unknown[]>('SELECT 1 FROM projects WHERE id = $1', [project]);
    return rows.length > 0;
  }

  /** Known to the one who computes the windows. */
  async timeZoneExists(name: string): Promise<boolean> {
    const rows = await this.manager.query<unknown[]>(
      `SELECT 1 FROM pg_timezone_names WHERE name = $1 AND name !~ '^(posix|right)'`,
      [name],
    );
    return rows.length > 0;
  }

  async find(id: string, project: string | undefined): Promise<Budget | undefined> {
    const [row] = await this.manager.query<BudgetRow[]>(
      `${BUDGETS} AND b.id = $1 AND ($2::text IS NULL OR b.project = $2)`,
      [id, project],
    );
    return row && budgetOf(row);
  }

  /** The one budget of a subject, unit and period, if there is one; held against other changes. */
  async lockLike(like: Pick<Budget, 'project' | 'keyId' | 'unit' | 'period'>): Promise<Budget | undefined> {
    const [row] = await this.manager.query<{ id: string }[]>(
      `SELECT id FROM budgets WHERE project = $1 AND key_id IS NOT DISTINCT FROM $2 AND unit = $3 AND period = $4
          AND removed_at IS NULL FOR NO KEY UPDATE`,
      [like.project, like.keyId, like.unit, like.period],
    );
    return row && this.find(row.id, undefined);
  }

  async lock(id: string, project: string | undefined): Promise<Budget | undefined> {
    await this.manager.query('SELECT 1 FROM budgets WHERE id = $1 FOR NO KEY UPDATE', [id]);
    return this.find(id, project);
  }

  /** Newest first. */
  async page(project: string | undefined, before: string | undefined, size: number): Promise<Budget[]> {
    const rows = await this.manager.query<BudgetRow[]>(
      `${BUDGETS} AND ($1::text IS NULL OR b.project = $1) AND ($2::text IS NULL OR b.id < $2)
        ORDER BY b.id DESC LIMIT $3`,
      [project, before, size],
    );
    return rows.map(budgetOf);
  }

  /** Of a key and of its project, the oldest first. */
  async inForce(project: string, keyId: string): Promise<Budget[]> {
    const rows = await this.manager.query<BudgetRow[]>(
      `${BUDGETS} AND b.enabled AND b.project = $1 AND (b.key_id = $2 OR b.key_id IS NULL) ORDER BY b.id`,
      [project, keyId],
    );
    return rows.map(budgetOf);
  }

  /** False when there is one for the same subject, unit and period. */
  async insert(budget: Pick<Budget, 'id' | 'project' | 'keyId' | 'unit' | 'limit' | 'period' | 'timeZone'>) {
    const { id, project, keyId, unit, limit, period, timeZone } = budget;
    const rows = await this.manager.query<unknown[]>(
      `INSERT INTO budgets (id, project, key_id, unit, limit_n, period, time_zone)
       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id`,
      [id, project, keyId, unit, limit, period, timeZone],
    );
    return rows.length > 0;
  }

  /** The window takes the new limit too, as far down as what is used and held lets it. */
  async update(id: string, limit: bigint, enabled: boolean): Promise<void> {
    await this.manager.query('UPDATE budgets SET limit_n = $2, enabled = $3 WHERE id = $1', [
      id,
      limit,
      enabled,
    ]);
    await this.manager.query(
      `UPDATE budget_windows SET limit_n = greatest($2, held_n + settled_n - granted_n)
        WHERE budget_id = $1 AND ends_at > now()`,
      [id, limit],
    );
  }

  async remove(id: string): Promise<void> {
    await this.manager.query('UPDATE budgets SET removed_at = now() WHERE id = $1', [id]);
  }

  /** For the window of this moment. */
  async grant(grant: {
    id: string;
    budget: string;
    amount: bigint;
    reason?: string;
    by: string;
  }): Promise<void> {
    await this.manager.query(
      `WITH w AS (SELECT o.starts_at FROM budgets b CROSS JOIN LATERAL open_budget_window(b, now()) AS o WHERE b.id = $2)
       INSERT INTO budget_grants (id, budget_id, starts_at, amount_n, reason, granted_by)
       SELECT $1, $2, starts_at, $3, $4, $5 FROM w`,
      [grant.id, grant.budget, grant.amount, grant.reason, grant.by],
    );
    await this.manager.query(
      `UPDATE budget_windows w SET granted_n = granted_n + g.amount_n
         FROM budget_grants g WHERE g.id = $1 AND w.budget_id = g.budget_id AND w.starts_at = g.starts_at`,
      [grant.id],
    );
  }

  /** Of runs that are under way, newest first. */
  async holds(project: string | undefined, before: string | undefined, size: number): Promise<RunHold[]> {
    const rows = await this.manager.query<
      (Omit<RunHold, 'heldNano' | 'heldTokens' | 'observedNano'> &
        Record<'held' | 'tokens' | 'observed', string>)[]
    >(
      `SELECT id AS "runId", project, key_id AS "keyId", kind, model, budget_ids AS budgets, held_nano AS held,
              held_tokens AS tokens, observed_nano AS observed, started_at AS "startedAt", lease_until AS "leaseUntil"
         FROM runs WHERE outcome IS NULL AND cardinality(budget_ids) > 0
          AND ($1::text IS NULL OR project = $1) AND ($2::text IS NULL OR id < $2)
        ORDER BY id DESC LIMIT $3`,
      [project, before, size],
    );
    return rows.map(({ held, tokens, observed, ...hold }) => ({
      ...hold,
      heldNano: BigInt(held),
      heldTokens: BigInt(tokens),
      observedNano: BigInt(observed),
    }));
  }
}

function budgetOf(row: BudgetRow): Budget {
  const [limit, granted, held, settled, overrun] = [
    ...[row.limit_n, row.granted_n, row.held_n, row.settled_n, row.overrun_n],
  ].map(BigInt) as [bigint, bigint, bigint, bigint, bigint];
  const left = limit + granted - held - settled - overrun;
  return {
    ...{ id: row.id, project: row.project, keyId: row.key_id, unit: row.unit, limit, period: row.period },
    ...{ timeZone: row.time_zone, enabled: row.enabled, createdAt: row.created_at },
    window: {
      ...{ startsAt: row.starts_at, endsAt: row.ends_at, granted, held, settled, overrun },
      remaining: left > 0n ? left : 0n,
    },
  };
}
