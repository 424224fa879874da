import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { AppConfig } from '@app/config';
import { type KeyKind, mintKey } from './key-format.js';

/** A secret on its one trip to the caller, and what is kept of it. */
export interface MintedSecret {
  key: string;
  kid: string;
  digest: Buffer;
  last4: string;
}

/**
 * Makes secrets and their digests. A digest is worth nothing without the pepper, which never enters the
 * database; 256 random bits need no slow hash.
 */
@Injectable()
export class KeySecrets {
  private readonly pepper: KeyObject;

  constructor(config: AppConfig) {
    this.pepper = createSecretKey(Buffer.from(config.keyPepper));
  }

  mint(kind: KeyKind): MintedSecret {
    const { key, kid } = mintKey(kind);
    return { key, kid, digest: this.digest(key), last4: key.slice(-4) };
  }

  digest(key: string): Buffer {
    return createHmac('sha256', this.pepper).update(key).digest();
  }
}
