import { Injectable } from '@nestjs/common';
import type { Principal } from '@app/common';
import { AuthFailures } from './auth-failures.js';
import { InvalidKey } from './auth.errors.js';
import { kidOf } from './key-format.js';
import { KeyVerifier } from './key-verifier.js';

/** Who showed a key that works, and what reads it anew for as long as they are connected. */
export interface KnownCaller {
  principal: Principal;
  verify: () => Promise<Principal>;
}

/** Tells who shows a key, whichever door they came to, and counts the keys that do not work. */
@Injectable()
export class Callers {
  constructor(
    private readonly verifier: KeyVerifier,
    private readonly failures: AuthFailures,
  ) {}

  /** Throws the one 401 for a key that is missing or does not work. */
  async identify(presented: string | undefined): Promise<KnownCaller> {
    try {
      if (presented === undefined) throw new InvalidKey('missing');
      const verify = this.verifier.verifier(presented);
      return { principal: await verify(), verify };
    } catch (error) {
      if (error instanceof InvalidKey) this.failures.add(error.fault, presented && kidOf(presented));
      throw error;
    }
  }
}
