import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { type OpenRun, type RunEnding, RunLedger } from '@app/budgets';
import { AppError, type Principal } from '@app/common';
import { AppConfig } from '@app/config';
import { Transactions } from '@app/database';
import { RunMetrics } from './run-metrics.js';

const RENEW_EVERY_MS = 15_000;
const RETRY_EVERY_MS = 1000;
const LOST: RunEnding = {
  outcome: 'failed',
  errorCode: 'server_lost',
  usage: null,
  costNano: null,
  cliCostNano: null,
  overrunNano: 0n,
  used: null,
};

/**
 * Ends runs in the ledger, with what they held of their budgets.
 * Guarantees that every run that was opened gets exactly one outcome: by its own end, retried while the database is
 * away, or by the sweeper when its process died.
 */
@Injectable()
export class RunBook implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(RunBook.name);
  /** Names this process; a run whose owner is another process of this installation is abandoned. */
  readonly owner = randomUUID();
  /** Only these keep their leases: one whose admission we were never told of is nobody's, and is swept. */
  private readonly open = new Set<string>();
  private timer: NodeJS.Timeout;

  constructor(
    private readonly config: AppConfig,
    private readonly transactions: Transactions,
    private readonly ledger: RunLedger,
    private readonly metrics: RunMetrics,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.sweep();
    this.timer = setInterval(() => void this.keepUp(), RENEW_EVERY_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** This process works on the run from now on. */
  follow(runId: string): void {
    this.open.add(runId);
  }

  /**
   * Ends a run. Resolves when it is written or, with the database away, at once: the caller has its answer
   * and the row follows as soon as the database is back.
   */
  async end(principal: Principal, runId: string, ending: RunEnding): Promise<void> {
    try {
      await this.write({ id: runId, project: principal.project, key_id: principal.keyId }, ending);
      this.open.delete(runId);
    } catch (error) {
      this.logger.error({ msg: 'the end of a run could not be written: trying again', runId, err: error });
      const isAway = error instanceof AppError && error.code === 'database_unavailable';
      // What the database itself refuses would be refused for ever: then the outcome alone is kept.
      const next = isAway ? ending : { ...LOST, outcome: ending.outcome, errorCode: ending.errorCode };
      setTimeout(() => void this.end(principal, runId, next), RETRY_EVERY_MS).unref();
    }
  }

  /** Ends a run whose process was lost, in the caller's transaction. */
  async abandon(run: OpenRun): Promise<void> {
    await this.write(run, LOST);
  }

  /** Who watches the log learns what the run's end has brought about in its budgets. */
  private async write(run: OpenRun, ending: RunEnding): Promise<void> {
    const news = await this.ledger.end(run, ending);
    if (!news) return;
    this.metrics.ended(ending, news);
    const about = { project: run.project, run: run.id };
    for (const alert of news.alerts)
      this.logger.warn({ msg: 'a budget reached a threshold', ...about, ...alert });
    for (const overrun of news.overruns)
      this.logger.error({ msg: 'a run used more than was held for it', ...about, ...overrun });
  }

  private async keepUp(): Promise<void> {
    try {
      if (this.open.size > 0) await this.ledger.renewLeases([...this.open]);
      await this.sweep();
    } catch (error) {
      this.logger.warn({ msg: 'leases could not be renewed: trying again', err: error });
    }
  }

  /** Ends what dead processes left open. What they used beyond what they wrote down is not known. */
  private async sweep(): Promise<void> {
    let ended = 0;
    while (await this.sweepOne()) ended += 1;
    if (ended > 0) this.logger.warn({ msg: 'ended runs of a dead server', runs: ended });
  }

  private sweepOne(): Promise<boolean> {
    return this.transactions.run(async () => {
      const run = await this.ledger.takeAbandoned(this.config.instanceId, this.owner);
      if (run) await this.write(run, LOST);
      return run !== undefined;
    });
  }
}
