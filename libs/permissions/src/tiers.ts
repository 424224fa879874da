import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError } from '@app/common';
import { knownTiers } from './known-tiers.js';
import type { KnownTier, Tier } from './tier.js';
import { TiersRepository } from './tiers.repository.js';

/**
 * Knows every tier by name, from memory: read before anything is served, and again by `refresh` whenever
 * something changed (auth's `KeyChanges` sees to that). Never goes back to an older state. A name that it does
 * not know allows nothing.
 */
@Injectable()
export class Tiers implements OnModuleInit {
  private known: readonly KnownTier[] = [];
  /** How often tiers were changed so far. */
  private changes = 0;

  constructor(private readonly versions: TiersRepository) {}

  async onModuleInit(): Promise<void> {
    await this.refresh();
  }

  list(): readonly Tier[] {
    return this.known;
  }

  /** What a key of this tier may do; throws `permission_denied` when there is no such tier any more. */
  get(name: string): Tier {
    const tier = this.known.find((candidate) => candidate.name === name);
    if (!tier) {
      throw new AppError('permission_denied', `the tier ${name} of this key does not exist any more`);
    }
    return tier;
  }

  /** Throws `invalid_request` for a name that nobody gave to a tier, also not a moment ago elsewhere. */
  async require(name: string): Promise<void> {
    const isKnown = () => this.known.some((candidate) => candidate.name === name);
    if (!isKnown()) await this.refresh();
    if (isKnown()) return;
    const names = this.known.map((tier) => tier.name).join(', ');
    throw new AppError('invalid_request', `tier must be one of ${names}`, { param: 'tier' });
  }

  async refresh(): Promise<void> {
    const current = await this.versions.current();
    const changes = current.reduce((sum, { version }) => sum + version, 0);
    // Of two readings at a time, the older one may come last.
    if (changes < this.changes) return;
    this.known = knownTiers(current);
    this.changes = changes;
  }
}
