import { Injectable } from '@nestjs/common';
import type { ModelFamily, Principal } from '@app/common';
import { type EffectivePolicy, effectivePolicy, type Refusal, Tiers } from '@app/permissions';
import type { RunRequest } from './run.js';

/** May they: narrows tier, key and request to what a run may do, before anything is spent. */
@Injectable()
export class RunPolicy {
  constructor(private readonly tiers: Tiers) {}

  /** Refusals name each thing that was asked for and the rule that refused it. */
  for(principal: Principal, request: RunRequest): { policy: EffectivePolicy; refusals: Refusal[] } {
    return effectivePolicy(this.tiers.get(principal.tier), principal.grants, {
      model: request.model,
      timeoutSeconds: request.timeoutSeconds,
      maxCostUsd: request.maxCostUsd,
      tools: [],
      agents: [],
      skills: [],
    });
  }

  /** The families that `auto` may choose from. */
  modelsOf(principal: Principal): ModelFamily[] {
    return effectivePolicy(this.tiers.get(principal.tier), principal.grants, { model: 'auto' }).policy.models;
  }
}
