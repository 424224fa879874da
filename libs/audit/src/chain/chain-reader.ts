import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { ChainKey } from './audit-record.js';
import { AuditRepository } from '../audit.repository.js';
import { ChainCheck, type ChainFault, type ChainPoint, type CheckKeys } from './chain-check.js';
import { type ChainVerdict, verdictOf } from './chain-verdict.js';
import { CheckpointKey } from './checkpoint.js';
import { CheckpointsRepository } from './checkpoints.repository.js';

/** Few enough that other work of the process hardly waits, enough that the queries do not count. */
const PAGE = 2_000;

/** Reads chains of the database again and checks them, a page at a time, without holding anything up. */
@Injectable()
export class ChainReader {
  readonly #keys: CheckKeys;

  constructor(
    config: AppConfig,
    private readonly records: AuditRepository,
    private readonly checkpoints: CheckpointsRepository,
  ) {
    this.#keys = {
      mac: new ChainKey(config.auditKey),
      checkpoints: new CheckpointKey(config.auditKey).public,
    };
  }

  /** The whole chain, up to the event that was last when it began. */
  async verify(project: string, stop?: AbortSignal): Promise<ChainVerdict> {
    const signed = await this.checkpoints.of(project);
    // After the checkpoints: the chain may go on meanwhile, and none of them may seem to lie beyond its end.
    const { head, first, more } = await this.records.ends(project);
    const check = ChainCheck.of(project, signed, this.#keys);
    const { seq } = check.start;
    const fault =
      first !== null && first <= seq
        ? ({ seq: first, flaw: 'inserted' } as const)
        : ((await this.#walk(project, check, head.seq, stop)) ?? check.end(head, more));
    return verdictOf(project, check, fault);
  }

  /** From a point that was verified before, the point at `seq`; or what is wrong on the way. */
  async advance(
    project: string,
    from: ChainPoint,
    seq: number,
  ): Promise<{ point: ChainPoint; fault?: ChainFault }> {
    const check = ChainCheck.from(project, from, this.#keys);
    const fault = await this.#walk(project, check, seq);
    return { point: check.last, fault };
  }

  async #walk(
    project: string,
    check: ChainCheck,
    last: number,
    stop?: AbortSignal,
  ): Promise<ChainFault | undefined> {
    const read = (seq: number) => this.records.between(project, seq, Math.min(seq + PAGE, last));
    let next = check.last.seq < last ? read(check.last.seq) : undefined;
    while (next) {
      const page = await next;
      stop?.throwIfAborted();
      const end = check.last.seq + PAGE;
      // The database reads the next page while this one is checked.
      next = end < last ? read(end) : undefined;
      next?.catch(() => undefined); // Nobody waits for it when this page has a fault.
      for (const record of page) {
        const fault = check.take(record);
        if (fault) return fault;
      }
      if (check.last.seq < Math.min(end, last)) return { seq: check.last.seq + 1, flaw: 'missing' };
    }
    return undefined;
  }
}
