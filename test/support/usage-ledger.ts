import { v7 } from 'uuid';
import type { LedgerProcess } from './ledger-process.js';

/** A run that was there at some time, as the ledger has it. */
export interface OldRun {
  at: Date;
  project?: string;
  keyId?: string;
  model?: string;
  outcome?: string | null;
  costKind?: 'billed' | 'notional';
  /** Per model: its tokens of input and output, and its cost; null = not known. */
  usage?: { model: string; input: number | null; output: number | null; cost: number | null }[];
}

export const runIdAt = (at: Date) => `run_${v7({ msecs: at.getTime() }).replaceAll('-', '')}`;

/** Writes a run as it would be there, had it run then. */
export async function addRun(process: LedgerProcess, run: OldRun): Promise<string> {
  const {
    at,
    project = 'p',
    keyId = 'key_1',
    model = 'claude-haiku-5-5',
    outcome = 'succeeded',
    usage = [],
  } = run;
  const id = runIdAt(at);
  const cost = usage.some((row) => row.cost === null) ? null : usage.reduce((sum, row) => sum + row.cost!, 0);
  await process.transactions.run(async () => {
    await process.transactions.manager.query(
      `INSERT INTO runs (id, project, key_id, kind, model, max_cost_nano, instance, owner, lease_until, started_at,
                         ended_at, outcome, cost_nano, cost_kind)
       VALUES ($1, $2, $3, 'completion', $4, 1000, 'i', 'o', $5::timestamptz, $5,
               CASE WHEN $6::text IS NOT NULL THEN $5::timestamptz END, $6, $7, $8)`,
      [id, project, keyId, model, at, outcome, outcome && cost, run.costKind ?? 'billed'],
    );
    for (const row of usage) {
      await process.transactions.manager.query(
        `INSERT INTO run_usage (run_id, model, calls, input_tokens, output_tokens, cache_read_tokens,
                                cache_write_5m_tokens, cache_write_1h_tokens, cost_nano, price_version)
         VALUES ($1, $2, 2, $3, $4, 1, 2, 3, $5, 'v1')`,
        [id, row.model, row.input, row.output, row.cost],
      );
    }
  });
  return id;
}

/** What the ledger says without any sum: counted here, run by run. */
export async function counted(
  process: LedgerProcess,
  question: {
    from: Date;
    to: Date;
    groupBy: 'model' | 'day' | 'key' | 'project';
    timeZone: string;
    project?: string;
  },
): Promise<Map<string, { runs: number; unknown: number; calls: number; output: bigint; nano: bigint }>> {
  const rows = await process.rows('SELECT * FROM runs WHERE outcome IS NOT NULL');
  const usage = await process.rows('SELECT * FROM run_usage');
  const day = new Intl.DateTimeFormat('en-CA', { timeZone: question.timeZone });
  const groups = new Map();
  const count = (name: string, more: object) => {
    const group = groups.get(name) ?? { runs: 0, unknown: 0, calls: 0, output: 0n, nano: 0n };
    for (const [field, value] of Object.entries(more)) group[field] += value;
    groups.set(name, group);
  };
  for (const run of rows) {
    if (run.started_at < question.from || run.started_at >= question.to) continue;
    if (question.project !== undefined && run.project !== question.project) continue;
    const name = (model: string) =>
      ({ model, key: run.key_id, project: run.project, day: day.format(run.started_at) })[question.groupBy];
    count(name(run.model), { runs: 1, unknown: run.cost_nano === null ? 1 : 0 });
    for (const row of usage.filter(({ run_id }) => run_id === run.id)) {
      const [output, nano] = [BigInt(row.output_tokens ?? 0), BigInt(row.cost_nano ?? 0)];
      count(name(row.model), { calls: row.calls, output, nano });
    }
  }
  return groups;
}
