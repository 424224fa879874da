import { Injectable } from '@nestjs/common';
import { AppError } from '@app/common';
import { AppConfig } from '@app/config';

/** One refusal may be a hiccup at the model's side; two in a row are the credential. */
const REFUSALS_THAT_COUNT = 2;

const MISSING =
  'the service has no credential for the model: the operator must set ANTHROPIC_API_KEY (or CLAUDE_CODE_OAUTH_TOKEN) and restart';
const REFUSED = 'the model’s API refuses the service’s credential: the operator must replace it';

/**
 * Knows whether the model's API accepts our credential. Flips after two refusals in a row and heals on the
 * first success; runs are still tried meanwhile, because a trial is how it heals.
 */
@Injectable()
export class CredentialHealth {
  private refusals = 0;

  constructor(private readonly config: AppConfig) {}

  /** Throws `credential_unavailable` when there is nothing to run with. */
  require(): void {
    if (!this.config.credential) throw CredentialHealth.unavailable('missing');
  }

  accepted(): void {
    this.refusals = 0;
  }

  refused(): void {
    this.refusals += 1;
  }

  check(): { ok: boolean; detail: string } {
    if (!this.config.credential) return { ok: false, detail: MISSING };
    if (this.refusals >= REFUSALS_THAT_COUNT) return { ok: false, detail: REFUSED };
    return { ok: true, detail: this.config.credential.kind };
  }

  static unavailable(reason: 'missing' | 'refused', cause?: unknown): AppError {
    return new AppError('credential_unavailable', reason === 'missing' ? MISSING : REFUSED, { cause });
  }
}
