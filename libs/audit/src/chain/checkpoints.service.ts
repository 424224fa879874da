import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '@app/common';
import { AppConfig } from '@app/config';
import { AuditRepository } from '../audit.repository.js';
import { BEGINNING, type ChainFault, type ChainPoint } from './chain-check.js';
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
    private readonly stored: CheckpointsRepository,
  ) {
    this.key = new CheckpointKey(config.auditKey);
  }

  get publicKey(): string {
    return this.key.public.text;
  }

  /** Every chain that grew by a thousand events, or is a day behind. */
  async signDue(): Promise<void> {
    const before = new Date(this.clock.now().getTime() - EVERY_MS);
    for (const project of await this.stored.due(EVERY_EVENTS, before)) await this.sign(project);
  }

  /** The chain at this event, or at its end now; undefined when it is empty or broken. */
  async sign(project: string, seq?: number): Promise<Checkpoint | undefined> {
    const end = seq ?? (await this.records.ends(project)).head.seq;
    const from = await this.newest(project, ({ seq: signed }) => signed <= end);
    const checkpoint = await this.advance(project, from, end, 'head');
    if (checkpoint && (await this.stored.add(checkpoint))) this.announce(checkpoint);
    return checkpoint;
  }

  /** The place up to which events may be dropped, not stored yet; undefined when anything in the chain is wrong. */
  async cut(project: string, seq: number): Promise<Checkpoint | undefined> {
    const { fault } = await this.reader.verify(project);
    if (fault) return this.refuse(project, fault);
    const from = await this.newest(project, ({ reason }) => reason === 'retention');
    return this.advance(project, from, seq, 'retention');
  }

  async keep(checkpoint: Checkpoint): Promise<void> {
    await this.stored.add(checkpoint);
  }

  announce(checkpoint: Checkpoint): void {
    this.logger.log({ msg: 'audit checkpoint', checkpoint: checkpointLine(checkpoint) });
  }

  private async newest(project: string, fits: (checkpoint: Checkpoint) => boolean): Promise<ChainPoint> {
    const fitting = (await this.stored.of(project)).filter(fits);
    return fitting.findLast((checkpoint) => this.key.public.signed(checkpoint)) ?? BEGINNING;
  }

  private async advance(
    project: string,
    from: ChainPoint,
    seq: number,
    reason: Checkpoint['reason'],
  ): Promise<Checkpoint | undefined> {
    const { point, fault } = await this.reader.advance(project, from, seq);
    if (fault) return this.refuse(project, fault);
    if (point.seq === 0 || point.seq !== seq) return undefined;
    const { mac, digest } = point;
    return this.key.sign({ project, seq, mac, digest, reason, at: this.clock.now().toISOString() });
  }

  private refuse(project: string, fault: ChainFault): undefined {
    this.logger.error({ msg: 'the audit chain is broken: not signed', project, ...fault });
  }
}
