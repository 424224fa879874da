import { kidOf } from './key-format.js';
import type { KeySecrets } from './key-secrets.js';

/** A well-formed key that somebody shows. It is hashed when that is first needed, and from then on not kept. */
export class ShownKey {
  #presented: string | undefined;
  #digest: Buffer | undefined;

  private constructor(
    readonly kid: string,
    presented: string,
    private readonly secrets: KeySecrets,
  ) {
    this.#presented = presented;
  }

  /** Undefined for what cannot be a key. */
  static of(presented: string, secrets: KeySecrets): ShownKey | undefined {
    const kid = kidOf(presented);
    return kid === undefined ? undefined : new ShownKey(kid, presented, secrets);
  }

  get digest(): Buffer {
    this.#digest ??= this.secrets.digest(this.#presented!);
    this.#presented = undefined;
    return this.#digest;
  }
}
