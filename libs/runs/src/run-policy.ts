import { Injectable } from '@nestjs/common';
import { AppError, type ModelFamily, type Principal } from '@app/common';
import { type EffectivePolicy, effectivePolicy, Tiers } from '@app/permissions';
import type { RunRequest } from './run.js';

/** May they: narrows tier, key and request to what a run may do, before anything is spent. */
@Injectable()
export class RunPolicy {
  constructor(private readonly tiers: Tiers) {}

  /** Throws `permission_denied`, naming each thing that was asked for and the rule that refused it. */
  for(principal: Principal, request: RunRequest): EffectivePolicy {
    const { policy, refusals } = effectivePolicy(this.tiers.get(principal.tier), principal.grants, {
      model: request.model,
      timeoutSeconds: request.timeoutSeconds,
      maxCostUsd: request.maxCostUsd,
      tools: [],
      agents: [],
      skills: [],
    });
    if (refusals.length === 0) return policy;
    throw new AppError('permission_denied', refusals.map(({ message }) => message).join('; '), {
      details: { refusals },
    });
  }

  /** The families that `auto` may choose from. */
  modelsOf(principal: Principal): ModelFamily[] {
    return effectivePolicy(this.tiers.get(principal.tier), principal.grants, { model: 'auto' }).policy.models;
  }
}
