import { Injectable } from '@nestjs/common';
import { Counter } from 'prom-client';
import { type Admission, type BudgetNews, nanoToUsd, type RunEnding } from '@app/budgets';
import { Metrics } from '@app/common';

/** Counts what becomes of runs: each thing once, by the server that wrote it into the ledger. */
@Injectable()
export class RunMetrics {
  private readonly refusals: Counter<'reason'>;
  private readonly ends: Counter<'outcome'>;
  private readonly cost: Counter;
  private readonly thresholds: Counter<'unit' | 'pct'>;
  private readonly overruns: Counter<'unit'>;

  constructor(metrics: Metrics) {
    const registers = [metrics];
    this.refusals = new Counter({
      name: 'claude_api_runs_refused_total',
      help: 'Runs that the ledger did not admit, by what stood against it',
      ...{ labelNames: ['reason'], registers },
    });
    this.ends = new Counter({
      name: 'claude_api_runs_ended_total',
      help: 'Runs that have ended, by outcome',
      ...{ labelNames: ['outcome'], registers },
    });
    this.cost = new Counter({
      name: 'claude_api_cost_usd_total',
      help: 'What ended runs have cost, as far as it is known',
      registers,
    });
    this.thresholds = new Counter({
      name: 'claude_api_budget_thresholds_total',
      help: 'Thresholds that budgets have reached for the first time in a window',
      ...{ labelNames: ['unit', 'pct'], registers },
    });
    this.overruns = new Counter({
      name: 'claude_api_budget_overruns_total',
      help: 'Runs whose model reported more than was held for them, by budget unit',
      ...{ labelNames: ['unit'], registers },
    });
  }

  refused(verdict: Admission['verdict']): void {
    this.refusals.inc({ reason: verdict });
  }

  ended({ outcome, costNano }: RunEnding, { alerts, overruns }: BudgetNews): void {
    this.ends.inc({ outcome });
    if (costNano !== null) this.cost.inc(nanoToUsd(costNano));
    for (const { unit, pct } of alerts) this.thresholds.inc({ unit, pct });
    for (const { unit } of overruns) this.overruns.inc({ unit });
  }
}
