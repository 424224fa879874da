import { Injectable } from '@nestjs/common';
import { type ApiKey, KeysService } from '@app/auth';
import type { Principal } from '@app/common';
import type { EffectivePolicy, Tier } from '@app/permissions';
import { RunPolicy } from '../run-policy.js';

/** A key, and what its tier leaves of it; an administration key runs nothing and has no limits. */
export interface Standing {
  key: ApiKey;
  limits: { tier: Tier; policy: EffectivePolicy } | null;
}

/** Tells a key how it stands. */
@Injectable()
export class Self {
  constructor(
    private readonly keys: KeysService,
    private readonly policy: RunPolicy,
  ) {}

  async of(principal: Principal): Promise<Standing> {
    return this.ofKey(await this.keys.show(principal, principal.keyId));
  }

  async ofKey(key: ApiKey): Promise<Standing> {
    return { key, limits: key.kind === 'admin' ? null : await this.policy.standing(key) };
  }
}
