import { ChainKey } from '../chain/audit-record.js';
import type { CheckKeys } from '../chain/chain-check.js';
import { type Checkpoint, CheckpointKey, CheckpointPublicKey } from '../chain/checkpoint.js';
import { type CheckpointLine, checkpointOf } from '../chain/checkpoint-line.js';

/** For who has the AUDIT_KEY: every event is checked by itself. */
export function ownerKeys(auditKey: string): CheckKeys {
  return { mac: new ChainKey(auditKey), checkpoints: new CheckpointKey(auditKey).public };
}

/** For who has the public key alone: events are checked by the signed checkpoints. Undefined for no such key. */
export function outsiderKeys(publicKey: string): CheckKeys | undefined {
  const checkpoints = CheckpointPublicKey.parse(publicKey);
  return checkpoints && { checkpoints };
}

/** Every checkpoint in a copy of the service's log, or in another export. */
export async function anchorsIn(lines: AsyncIterable<string>): Promise<Checkpoint[]> {
  const anchors: Checkpoint[] = [];
  for await (const line of lines) {
    if (!line.includes('"kind":"checkpoint"')) continue;
    try {
      const said = JSON.parse(line) as CheckpointLine & { checkpoint?: CheckpointLine };
      anchors.push(checkpointOf(said.checkpoint ?? said));
    } catch {
      // A line that was cut is no anchor; other text that looks like one neither.
    }
  }
  return anchors;
}
