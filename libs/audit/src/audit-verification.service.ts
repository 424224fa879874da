import { Injectable } from '@nestjs/common';
import { AppError, Clock, type Principal, reachOf } from '@app/common';
import { noSuchChain } from './audit.errors.js';
import { AuditRepository } from './audit.repository.js';
import { ChainReader } from './chain/chain-reader.js';
import type { ChainVerdict } from './chain/chain-verdict.js';
import { Checkpoints } from './chain/checkpoints.service.js';

const TRY_AGAIN_SECONDS = 5;

/** Checks the chains that a caller manages; one such check at a time in a process, for it may read millions. */
@Injectable()
export class AuditVerification {
  private running = false;

  constructor(
    private readonly clock: Clock,
    private readonly records: AuditRepository,
    private readonly reader: ChainReader,
    private readonly checkpoints: Checkpoints,
  ) {}

  async verify(
    principal: Principal,
    { project, stop }: { project?: string; stop?: AbortSignal },
  ): Promise<{ publicKey: string; elapsedMs: number; chains: ChainVerdict[] }> {
    const reach = reachOf(principal);
    const only = project ?? reach;
    const isForeign = reach !== undefined && only !== reach;
    if (only !== undefined && (isForeign || !(await this.records.exists(only)))) throw noSuchChain();
    if (this.running) {
      throw new AppError(
        'concurrency_limited',
        'another verification is running: try again when it is over',
        {
          retryAfterSeconds: TRY_AGAIN_SECONDS,
        },
      );
    }
    this.running = true;
    const startedAt = this.clock.monotonicMs();
    try {
      const chains: ChainVerdict[] = [];
      for (const name of only === undefined ? await this.records.projects() : [only]) {
        chains.push(await this.reader.verify(name, stop));
      }
      const { publicKey } = this.checkpoints;
      return { publicKey, elapsedMs: this.clock.monotonicMs() - startedAt, chains };
    } finally {
      this.running = false;
    }
  }
}
