import type { Checkpoint } from './checkpoint.js';

/** A checkpoint as JSON says it, in exports and in the log. */
export interface CheckpointLine {
  kind: 'checkpoint';
  project: string;
  seq: number;
  mac: string;
  digest: string;
  reason: Checkpoint['reason'];
  at: string;
  key_id: string;
  signature: string;
}

export function checkpointLine(checkpoint: Checkpoint): CheckpointLine {
  const { project, seq, mac, digest, reason, at, keyId, signature } = checkpoint;
  return {
    kind: 'checkpoint',
    ...{ project, seq, mac: mac.toString('hex'), digest: digest.toString('hex'), reason, at, key_id: keyId },
    signature: signature.toString('base64url'),
  };
}

export function checkpointOf(line: CheckpointLine): Checkpoint {
  const { project, seq, reason, at } = line;
  return {
    ...{ project, seq, reason, at, keyId: line.key_id },
    mac: Buffer.from(line.mac, 'hex'),
    digest: Buffer.from(line.digest, 'hex'),
    signature: Buffer.from(line.signature, 'base64url'),
  };
}
