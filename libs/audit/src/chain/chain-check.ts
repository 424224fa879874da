import { hash } from 'node:crypto';
import { type AuditRecord, CHAIN_START, type ChainHead, type ChainKey, saidBy } from './audit-record.js';
import type { Checkpoint, CheckpointPublicKey } from './checkpoint.js';

/** What is wrong at the first place where a chain is not as it was written. */
export const CHAIN_FLAWS = {
  edited: 'this event is not what was written',
  missing: 'an event is missing here',
  inserted: 'this event was never written here',
  unlinked: 'this event does not follow the one before it',
  cut_off: 'a checkpoint was signed beyond the end: what came after it is gone',
  not_as_signed: 'a checkpoint was signed for other events than these',
  bad_signature: 'the checkpoint here was not signed with this key',
  other_key: 'written with another AUDIT_KEY',
  unsigned: 'no checkpoint covers this event: the end of the file may be cut off or made up',
} as const;

/** `after`: the last event before it that is known to be right, when the one at fault cannot be told. */
export interface ChainFault {
  seq: number;
  flaw: keyof typeof CHAIN_FLAWS;
  after?: number;
}

/** A point of a chain, with the digest of every event up to it. */
export interface ChainPoint extends ChainHead {
  digest: Buffer;
}

export const BEGINNING: ChainPoint = { ...CHAIN_START, digest: Buffer.alloc(32) };

/** Without `mac` events are checked by the checkpoints' digests alone. */
export interface CheckKeys {
  mac?: ChainKey;
  checkpoints: CheckpointPublicKey;
}

/**
 * Goes along one project's chain, event by event, and stops at the first that is not as it was written. Reads
 * nothing itself: the database and an export are checked alike. Each method answers the fault, if there is one.
 */
export class ChainCheck {
  readonly #checkpoints: Checkpoint[];
  /** The newest checkpoint that agreed. */
  signed?: Checkpoint;
  events = 0;

  private constructor(
    private readonly project: string,
    checkpoints: readonly Checkpoint[],
    private readonly keys: CheckKeys,
    readonly start: ChainPoint,
    public last: ChainPoint = start,
  ) {
    this.#checkpoints = checkpoints
      .filter((checkpoint) => checkpoint.project === project && checkpoint.seq >= start.seq)
      .toSorted((a, b) => a.seq - b.seq);
  }

  /** From where retention ended, if it ever did, or from the very beginning. */
  static of(project: string, checkpoints: readonly Checkpoint[], keys: CheckKeys): ChainCheck {
    const cuts = checkpoints.filter(
      (checkpoint) => checkpoint.project === project && checkpoint.reason === 'retention',
    );
    const cut = cuts
      .toSorted((a, b) => b.seq - a.seq)
      .find((checkpoint) => keys.checkpoints.signed(checkpoint));
    return new ChainCheck(project, checkpoints, keys, cut ?? BEGINNING);
  }

  /** From a point that is known to be right. */
  static from(project: string, point: ChainPoint, keys: CheckKeys): ChainCheck {
    return new ChainCheck(project, [], keys, point);
  }

  take(record: AuditRecord): ChainFault | undefined {
    const { seq } = record;
    const expected = this.last.seq + 1;
    const fault = this.#signedUpTo(this.last.seq);
    if (fault) return fault;
    if (record.project !== this.project || seq < expected) return { seq, flaw: 'inserted' };
    if (seq > expected) return { seq: expected, flaw: 'missing' };
    const said = saidBy(record);
    const flaw = this.#flawOf(record, said);
    if (flaw) return { seq, flaw };
    this.last = { seq, mac: record.mac, digest: digestAfter(this.last.digest, record.mac, said) };
    this.events += 1;
    return undefined;
  }

  /** `more`: there are events that the head does not know. */
  end(head: ChainHead, more: boolean): ChainFault | undefined {
    const { seq, mac } = this.last;
    const fault = this.#signedUpTo(seq);
    if (fault) return fault;
    if (seq < head.seq) return { seq: seq + 1, flaw: 'missing' };
    if (more) return { seq: head.seq + 1, flaw: 'unlinked' };
    const beyond = this.#checkpoints[0];
    if (beyond) {
      return this.keys.checkpoints.signed(beyond)
        ? { seq: seq + 1, flaw: 'cut_off' }
        : { seq: beyond.seq, flaw: 'bad_signature' };
    }
    return mac.equals(head.mac) && seq === head.seq ? undefined : { seq, flaw: 'unlinked' };
  }

  #flawOf(record: AuditRecord, said: Buffer): ChainFault['flaw'] | undefined {
    const { mac } = this.keys;
    if (mac && record.macKeyId !== mac.id) return 'other_key';
    if (mac && !mac.matches(record, said)) return 'edited';
    return record.prev.equals(this.last.mac) ? undefined : 'unlinked';
  }

  /** Compares with every checkpoint up to here, and puts it aside. */
  #signedUpTo(seq: number): ChainFault | undefined {
    while (this.#checkpoints[0] && this.#checkpoints[0].seq <= seq) {
      const checkpoint = this.#checkpoints.shift()!;
      if (checkpoint.keyId !== this.keys.checkpoints.id) return { seq: checkpoint.seq, flaw: 'other_key' };
      if (!this.keys.checkpoints.signed(checkpoint)) return { seq: checkpoint.seq, flaw: 'bad_signature' };
      const { mac, digest } = this.last;
      if (!checkpoint.mac.equals(mac) || !checkpoint.digest.equals(digest)) {
        return { seq: checkpoint.seq, flaw: 'not_as_signed', after: this.signed?.seq ?? this.start.seq };
      }
      this.signed = checkpoint;
    }
    return undefined;
  }
}

function digestAfter(before: Buffer, mac: Buffer, said: Buffer): Buffer {
  return hash('sha256', Buffer.concat([before, mac, said]), 'buffer');
}
