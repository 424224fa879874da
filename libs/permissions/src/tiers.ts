import { Injectable } from '@nestjs/common';
import { AppError } from '@app/common';
import { DEFAULT_TIERS } from './default-tiers.js';
import type { Tier } from './tier.js';

/** Knows every tier by name. A name that `get` answers for is one that a key may carry. */
@Injectable()
export class Tiers {
  list(): readonly Tier[] {
    return DEFAULT_TIERS;
  }

  /** Throws `not_found` for a name that no tier has. */
  get(name: string): Tier {
    const tier = DEFAULT_TIERS.find((candidate) => candidate.name === name);
    if (!tier) {
      const known = DEFAULT_TIERS.map((candidate) => candidate.name).join(', ');
      throw new AppError('not_found', `there is no such tier: the tiers are ${known}`);
    }
    return tier;
  }
}
