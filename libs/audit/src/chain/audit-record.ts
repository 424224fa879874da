import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { AuditEvent } from '../audit-event.js';
import { canonicalJson } from './canonical-json.js';
import { redacted } from '../redacted.js';

/** One link of a project's chain, as it is stored. `at` is the text that was chained: UTC, milliseconds. */
export interface AuditRecord {
  project: string;
  seq: number;
  at: string;
  type: string;
  actor: AuditEvent['actor'];
  target: AuditEvent['target'];
  outcome: string;
  diff: Record<string, unknown> | null;
  requestId: string | null;
  prev: Buffer;
  mac: Buffer;
  macKeyId: string;
}

/** Where a chain ends now. */
export interface ChainHead {
  seq: number;
  mac: Buffer;
}

export const CHAIN_START: ChainHead = { seq: 0, mac: Buffer.alloc(32) };

/** All that a record says, as the bytes of one text. */
export function saidBy(record: Omit<AuditRecord, 'prev' | 'mac'>): Buffer {
  const { project, seq, at, type, actor, target, outcome, diff, requestId, macKeyId } = record;
  // In the order that it is written in anyway.
  const said = { actor, at, diff, macKeyId, outcome, project, requestId, seq, target, type };
  return Buffer.from(canonicalJson(said));
}

/**
 * The secret that chains records. It lives outside the database: who can only write rows cannot make a link
 * that fits. Each record names its key, so that records of a replaced one are not taken for edited.
 */
export class ChainKey {
  readonly id: string;
  readonly #secret: KeyObject;

  constructor(secret: string) {
    this.#secret = createSecretKey(Buffer.from(secret));
    this.id = createHmac('sha256', this.#secret).update('key id').digest('hex').slice(0, 8);
  }

  /** The next record after `head`, without anything that looks like a secret. */
  link(head: ChainHead, event: AuditEvent, at: Date): AuditRecord {
    const { diff, requestId, ...said } = redacted(event);
    const record = {
      ...said,
      at: at.toISOString(),
      seq: head.seq + 1,
      diff: diff ?? null,
      requestId: requestId ?? null,
      macKeyId: this.id,
    };
    return { ...record, prev: head.mac, mac: this.#macOf(head.mac, saidBy(record)) };
  }

  /** `said`: the record's own `saidBy`. */
  matches({ prev, mac }: AuditRecord, said: Buffer): boolean {
    return mac.length === 32 && timingSafeEqual(mac, this.#macOf(prev, said));
  }

  #macOf(prev: Buffer, said: Buffer): Buffer {
    return createHmac('sha256', this.#secret).update(prev).update(said).digest();
  }
}
