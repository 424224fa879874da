import { createPrivateKey, createPublicKey, hash, hkdfSync, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';

/**
 * Where a chain stood at a moment, signed. `digest` covers every word of every event up to `seq`. `head`: the
 * chain ended here. `retention`: what is up to here was verified and then dropped, so the chain begins after it.
 */
export interface Checkpoint {
  project: string;
  seq: number;
  mac: Buffer;
  digest: Buffer;
  reason: 'head' | 'retention';
  at: string;
  keyId: string;
  signature: Buffer;
}

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const PREFIX = 'ed25519:';

/** Tells true checkpoints from false ones; can be given to anybody. Its text is `ed25519:<base64url>`. */
export class CheckpointPublicKey {
  readonly id: string;
  readonly #key: KeyObject;

  private constructor(readonly text: string) {
    const x = text.slice(PREFIX.length);
    this.#key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    this.id = hash('sha256', text).slice(0, 8);
  }

  /** Undefined when the text is no such key. */
  static parse(text: string): CheckpointPublicKey | undefined {
    return /^ed25519:[\w-]{43}$/.test(text) ? new CheckpointPublicKey(text) : undefined;
  }

  signed(checkpoint: Checkpoint): boolean {
    return verify(null, textOf(checkpoint), this.#key, checkpoint.signature);
  }
}

/**
 * Signs checkpoints. Derived from the audit key, so that there is one secret to keep; who has only the public
 * half can check every signature and make none.
 */
export class CheckpointKey {
  readonly public: CheckpointPublicKey;
  readonly #key: KeyObject;

  constructor(auditKey: string) {
    const seed = Buffer.from(hkdfSync('sha256', auditKey, '', 'claude-api audit checkpoints', 32));
    this.#key = createPrivateKey({
      key: Buffer.concat([PKCS8_ED25519, seed]),
      format: 'der',
      type: 'pkcs8',
    });
    const { x } = createPublicKey(this.#key).export({ format: 'jwk' });
    this.public = CheckpointPublicKey.parse(`${PREFIX}${x}`)!;
  }

  sign(said: Omit<Checkpoint, 'keyId' | 'signature'>): Checkpoint {
    const checkpoint = { ...said, keyId: this.public.id };
    return { ...checkpoint, signature: sign(null, textOf(checkpoint), this.#key) };
  }
}

function textOf({ project, seq, mac, digest, reason, at, keyId }: Omit<Checkpoint, 'signature'>): Buffer {
  const said = { project, seq, mac: mac.toString('hex'), digest: digest.toString('hex'), reason, at, keyId };
  return Buffer.from(`claude-api audit checkpoint 1\n${canonicalJson(said)}`);
}
