import type { ChainCheck, ChainFault } from './chain-check.js';

/** What a check of one chain found. `from` and `to`: the first and the last event that were right. */
export interface ChainVerdict {
  project: string;
  ok: boolean;
  events: number;
  from: number;
  to: number;
  /** The last event that a checkpoint covers, and when that was signed. */
  signed: { seq: number; at: string } | null;
  fault?: ChainFault;
}

export function verdictOf(project: string, check: ChainCheck, fault?: ChainFault): ChainVerdict {
  const { events, start, last, signed } = check;
  return {
    ...{ project, ok: fault === undefined, events, from: start.seq + 1, to: last.seq },
    signed: signed ? { seq: signed.seq, at: signed.at } : null,
    ...(fault && { fault }),
  };
}
