import { Injectable } from '@nestjs/common';
import { type ApiKey, KeysService } from '@app/auth';
import { type Budget, BudgetsService } from '@app/budgets';
import type { Principal } from '@app/common';
import type { EffectivePolicy, Tier } from '@app/permissions';
import { RunPolicy } from '../run-policy.js';

/** A key, what its tier leaves of it, and what it pays from; an administration key runs nothing and has no limits. */
export interface Standing {
  key: ApiKey;
  limits: { tier: Tier; policy: EffectivePolicy } | null;
  budgets: Budget[];
}

/** Tells a key how it stands. */
@Injectable()
export class Self {
  constructor(
    private readonly keys: KeysService,
    private readonly policy: RunPolicy,
    private readonly budgets: BudgetsService,
  ) {}

  async of(principal: Principal): Promise<Standing> {
    const key = await this.keys.show(principal, principal.keyId);
    if (key.kind === 'admin') return { key, limits: null, budgets: [] };
    const [limits, budgets] = await Promise.all([this.policy.standing(key), this.budgets.of(principal)]);
    return { key, limits, budgets };
  }
}
