import { Injectable } from '@nestjs/common';
import type { Principal } from '@app/common';
import { AuthFailures } from './auth-failures.js';
import { InvalidKey } from './auth.errors.js';
import { KeyVerifier } from './key-verifier.js';
import { FailedKeys } from './strangers/failed-keys.js';

/** Who showed a key that works, and what reads it anew for as long as they are connected. */
export interface KnownCaller {
  principal: Principal;
  verify: () => Promise<Principal>;
}

/**
 * Tells who shows a key, whichever door they came to, and counts the keys that do not work. From an address of too
 * many of these no key is hashed or looked up any more, but those that work here already are good as ever.
 */
@Injectable()
export class Callers {
  constructor(
    private readonly verifier: KeyVerifier,
    private readonly failures: AuthFailures,
    private readonly failed: FailedKeys,
  ) {}

  /** Throws the one 401 for a key that is missing or does not work, and `rate_limited` after too many of them. */
  async identify(presented: string | undefined, address: string): Promise<KnownCaller> {
    const key = presented === undefined ? undefined : this.verifier.shown(presented);
    const isKnown = key !== undefined && this.verifier.knows(key);
    if (!isKnown) this.failed.requireFew(address);
    try {
      if (!key) throw new InvalidKey(presented === undefined ? 'missing' : 'malformed');
      const verify = () => this.verifier.verifyShown(key);
      return { principal: await verify(), verify };
    } catch (error) {
      if (error instanceof InvalidKey) {
        this.failures.add(error.fault, key?.kid);
        if (!isKnown) this.failed.add(address);
      }
      throw error;
    }
  }

  /** Whether this key worked here lately, without asking the database. */
  knows(presented: string): boolean {
    const key = this.verifier.shown(presented);
    return key !== undefined && this.verifier.knows(key);
  }
}
