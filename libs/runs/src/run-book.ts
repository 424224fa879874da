import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import { type AbandonedRun, type RunEnding, RunLedger, type RunOpening } from '@app/budgets';
import { AppError, type Principal } from '@app/common';
import { AppConfig } from '@app/config';
import { Transactions } from '@app/database';
import type { Refusal } from '@app/permissions';
import type { RunRequest } from './run.js';

const RENEW_EVERY_MS = 15_000;
const RETRY_EVERY_MS = 1000;
const LOST: RunEnding = {
  outcome: 'failed',
  errorCode: 'server_lost',
  usage: null,
  costNano: null,
  cliCostNano: null,
  overrunNano: 0n,
};

/**
 * Opens and ends runs in the ledger, with their audit events in the same transaction. Guarantees that every
 * run that was opened gets exactly one outcome: by its own end, retried while the database is away, or by
 * the sweeper when its process died.
 */
@Injectable()
export class RunBook implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(RunBook.name);
  /** Names this process; a run whose owner is another process of this installation is abandoned. */
  private readonly owner = randomUUID();
  private timer: NodeJS.Timeout;

  constructor(
    private readonly config: AppConfig,
    private readonly transactions: Transactions,
    private readonly ledger: RunLedger,
    private readonly audit: AuditLog,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.sweep();
    this.timer = setInterval(() => void this.keepUp(), RENEW_EVERY_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** Throws `permission_denied` once the denial is written. */
  async refuse(principal: Principal, request: RunRequest, refusals: Refusal[]): Promise<never> {
    await this.audit.append({
      type: 'run.refused',
      project: principal.project,
      actor: { kind: 'key', id: principal.keyId },
      target: { kind: request.kind, id: request.model },
      outcome: 'denied',
      diff: { refused: refusals.map(({ item, rule }) => ({ item, rule })) },
      requestId: request.requestId,
    });
    throw new AppError('permission_denied', refusals.map(({ message }) => message).join('; '), {
      details: { refusals },
    });
  }

  /** Throws what the caller is told when the run may not start; then nothing was opened. */
  async open(
    principal: Principal,
    run: Omit<RunOpening, 'project' | 'keyId' | 'epoch' | 'instance' | 'owner' | 'costKind'>,
  ): Promise<void> {
    await this.transactions.run(async () => {
      const verdict = await this.ledger.admit({
        ...run,
        project: principal.project,
        keyId: principal.keyId,
        epoch: principal.epoch,
        instance: this.config.instanceId,
        owner: this.owner,
        costKind: this.config.credential?.kind === 'oauth_token' ? 'notional' : 'billed',
      });
      if (verdict === 'key_ended')
        throw new AppError('invalid_api_key', 'the API key was revoked or has expired');
      if (verdict === 'key_changed') throw keyChanged();
      if (verdict === 'concurrency') throw concurrencyLimited(run.concurrentRuns);
      await this.audit.append({
        type: 'run.started',
        project: principal.project,
        actor: { kind: 'key', id: principal.keyId },
        target: { kind: 'run', id: run.runId },
        outcome: 'ok',
        diff: { kind: run.kind, model: run.model },
        requestId: run.requestId,
      });
    });
  }

  /**
   * Ends a run. Resolves when it is written or, with the database away, at once: the caller has its answer
   * and the row follows as soon as the database is back.
   */
  async end(principal: Principal, runId: string, ending: RunEnding): Promise<void> {
    try {
      await this.write({ id: runId, project: principal.project, key_id: principal.keyId }, ending);
    } catch (error) {
      this.logger.error({ msg: 'the end of a run could not be written: trying again', runId, err: error });
      const isAway = error instanceof AppError && error.code === 'database_unavailable';
      // What the database itself refuses would be refused for ever: then the outcome alone is kept.
      const next = isAway ? ending : { ...LOST, outcome: ending.outcome, errorCode: ending.errorCode };
      setTimeout(() => void this.end(principal, runId, next), RETRY_EVERY_MS).unref();
    }
  }

  /** Ends a run whose process was lost, in the caller's transaction. */
  async abandon(run: AbandonedRun): Promise<void> {
    await this.write(run, LOST);
  }

  private async write(run: AbandonedRun, ending: RunEnding): Promise<void> {
    await this.transactions.run(async () => {
      if (!(await this.ledger.end(run.id, ending))) return;
      await this.audit.append({
        type: 'run.ended',
        project: run.project,
        actor: { kind: 'key', id: run.key_id },
        target: { kind: 'run', id: run.id },
        outcome: ending.outcome === 'succeeded' ? 'ok' : 'failed',
        diff: {
          outcome: ending.outcome,
          error_code: ending.errorCode ?? null,
          cost_nano: ending.costNano?.toString() ?? null,
        },
      });
    });
  }

  private async keepUp(): Promise<void> {
    try {
      await this.ledger.renewLeases(this.owner);
      await this.sweep();
    } catch (error) {
      this.logger.warn({ msg: 'leases could not be renewed: trying again', err: error });
    }
  }

  /** Ends what dead processes left open. What they used is not known, and is written as that. */
  private async sweep(): Promise<void> {
    await this.transactions.run(async () => {
      const abandoned = await this.ledger.takeAbandoned(this.config.instanceId, this.owner);
      for (const run of abandoned) await this.write(run, LOST);
      if (abandoned.length > 0)
        this.logger.warn({ msg: 'ended runs of a dead server', runs: abandoned.length });
    });
  }
}

/** The key is good, but what we know of it is milliseconds old: the next try is verified anew. */
function keyChanged(): AppError {
  return new AppError('conflict', 'the API key was changed at this moment: send the request again', {
    retryAfterSeconds: 1,
  });
}

export function concurrencyLimited(limit: number): AppError {
  return new AppError(
    'concurrency_limited',
    `this key may have ${limit} run(s) at once: wait for one to end`,
    {
      details: { limit },
      retryAfterSeconds: 1,
    },
  );
}
