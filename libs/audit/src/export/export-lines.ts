import type { AuditRecord, ChainHead } from '../chain/audit-record.js';
import type { CheckpointLine } from '../chain/checkpoint-line.js';

/** The first line of an export. `project` is null when it holds every project. */
export interface ExportLine {
  kind: 'export';
  version: 1;
  at: string;
  project: string | null;
  public_key: string;
}

/** Begins a chain: its checkpoints and then its events follow, up to `head`. */
export interface ChainLine {
  kind: 'chain';
  project: string;
  head: { seq: number; mac: string };
  /** There were events beyond the head, which a whole chain never has. */
  more: boolean;
}

export interface EventLine {
  kind: 'event';
  project: string;
  seq: number;
  at: string;
  type: string;
  actor: AuditRecord['actor'];
  target: AuditRecord['target'];
  outcome: string;
  diff: Record<string, unknown> | null;
  request_id: string | null;
  prev: string;
  mac: string;
  mac_key_id: string;
}

/** The last line: a file without it was cut off. */
interface EndLine {
  kind: 'end';
  chains: number;
  events: number;
}

export type AuditLine = ExportLine | ChainLine | CheckpointLine | EventLine | EndLine;

export function eventLine(record: AuditRecord): EventLine {
  const { project, seq, at, type, actor, target, outcome, diff, requestId, prev, mac, macKeyId } = record;
  return {
    ...{ kind: 'event', project, seq, at, type, actor, target, outcome, diff, request_id: requestId },
    ...{ prev: prev.toString('hex'), mac: mac.toString('hex'), mac_key_id: macKeyId },
  };
}

export function recordOf(line: EventLine): AuditRecord {
  const { project, seq, at, type, actor, target, outcome, diff } = line;
  return {
    ...{ project, seq, at, type, actor, target, outcome, diff, requestId: line.request_id },
    ...{ prev: Buffer.from(line.prev, 'hex'), mac: Buffer.from(line.mac, 'hex'), macKeyId: line.mac_key_id },
  };
}

export function headOf({ head }: ChainLine): ChainHead {
  return { seq: head.seq, mac: Buffer.from(head.mac, 'hex') };
}
