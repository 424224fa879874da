import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { AuditRepository } from '../audit.repository.js';
import { BEGINNING, type ChainPoint } from './chain-check.js';
import { ChainReader } from './chain-reader.js';
import { type Checkpoint, CheckpointKey } from './checkpoint.js';
import { checkpointLine } from './checkpoint-line.js';
import { CheckpointsRepository } from './checkpoints.repository.js';

const EVERY_EVENTS = 1_000;
const EVERY_MS = 24 * 60 * 60_000;

/**
 * Signs where chains stand, into the table and into the log: a copy of the log elsewhere proves later that
 * nothing up to there was changed or cut off, even by somebody who owns the database. Nothing is signed that
 * was not verified since the checkpoint before.
 */
@Injectable()
export class Checkpoints {
  private readonly logger = new Logger(Checkpoints.name);
  private readonly key: CheckpointKey;

  constructor(
    config: AppConfig,
    private readonly clock: Clock,
    private readonly records: AuditRepository,
    private readonly reader: ChainReader,
    private readonly checkpoints: CheckpointsRepository,
  ) {
    this.key = new CheckpointKey(config.auditKey);
  }

  get publicKey(): string {
    return this.key.public.text;
  }

  /** Every chain that grew by a thousand events, or is a day behind. */
  async signDue(): Promise<void> {
    const before = new Date(this.clock.now().getTime() - EVERY_MS);
    for (const project of await this.checkpoints.due(EVERY_EVENTS, before)) await this.sign(project);
  }

  /** The chain at this event, or at its end now; undefined when it is empty or broken. */
  async sign(project: string, seq?: number): Promise<Checkpoint | undefined> {
    const end = seq ?? (await this.records.ends(project)).head.seq;
    const checkpoint = await this.make(project, end, 'head');
    if (checkpoint && (await this.checkpoints.add(checkpoint))) this.announce(checkpoint);
    return checkpoint;
  }

  /** Not stored yet. Undefined, with a line in the log, when the chain up to there is not as it was written. */
  async make(project: string, seq: number, reason: Checkpoint['reason']): Promise<Checkpoint | undefined> {
    const from = await this.newestBefore(project, seq, reason);
    const { point, fault } = await this.reader.advance(project, from, seq);
    if (fault) {
      this.logger.error({ msg: 'the audit chain is broken: not signed', project, ...fault });
      return undefined;
    }
    if (point.seq === 0 || point.seq !== seq) return undefined;
    const at = this.clock.now().toISOString();
    const { mac, digest } = point;
    return this.key.sign({ project, seq, mac, digest, reason, at });
  }

  announce(checkpoint: Checkpoint): void {
    this.logger.log({ msg: 'audit checkpoint', checkpoint: checkpointLine(checkpoint) });
  }

  /** What is dropped for good is verified again from where retention ended last. */
  private async newestBefore(
    project: string,
    seq: number,
    reason: Checkpoint['reason'],
  ): Promise<ChainPoint> {
    const usable = (await this.checkpoints.of(project)).filter(
      (checkpoint) =>
        checkpoint.seq <= seq &&
        (reason === 'head' || checkpoint.reason === 'retention') &&
        this.key.public.signed(checkpoint),
    );
    return usable.at(-1) ?? BEGINNING;
  }
}
