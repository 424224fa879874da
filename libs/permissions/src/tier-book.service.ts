import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { AuditLog } from '@app/audit';
import { AppError, Clock, OPERATOR_PROJECT, type Principal } from '@app/common';
import { isDefault, knownTiers } from './known-tiers.js';
import type { Entitlements, KnownTier, TierVersion } from './tier.js';
import { changed, checkTierName, entitlementsOf, type TierChanges } from './tier-input.js';
import { TiersRepository } from './tiers.repository.js';

const MOST_TIERS = 100;
const SHOWN_VERSIONS = 100;

type TierEvent = 'tier.created' | 'tier.updated' | 'tier.removed' | 'tier.reset';

/**
 * The tiers as they are written down, every version of them. A change that is valid becomes the next version,
 * with its audit event, in the caller's transaction; one that changes nothing leaves no trace. Each answers
 * whether there was something to change.
 */
@Injectable()
export class TierBook {
  constructor(
    private readonly tiers: TiersRepository,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  async list(): Promise<KnownTier[]> {
    return knownTiers(await this.tiers.current());
  }

  /** Throws `not_found` with the names that there are. */
  async show(name: string): Promise<KnownTier> {
    const tiers = await this.list();
    const tier = tiers.find((candidate) => candidate.name === name);
    if (tier) return tier;
    const names = tiers.map((candidate) => candidate.name).join(', ');
    throw new AppError('not_found', `there is no such tier: the tiers are ${names}`);
  }

  /** Newest first, the last hundred. Of a removed tier too. */
  versions(name: string): Promise<TierVersion[]> {
    return this.tiers.versions(name, SHOWN_VERSIONS);
  }

  /** Makes a tier or changes one. `from`: the tier whose entitlements it starts with, instead of its own. */
  async set(by: Principal, name: string, changes: TierChanges, from?: string): Promise<boolean> {
    checkTierName(name);
    const tiers = await this.locked();
    const before = tiers.find((tier) => tier.name === name);
    const base = from === undefined ? before : tiers.find((tier) => tier.name === from);
    if (!base) throw noBase(name, from, tiers);
    const after = changed(entitlementsOf(base), changes);
    if (!before) {
      if (tiers.length >= MOST_TIERS) throw new AppError('conflict', `there are ${MOST_TIERS} tiers already`);
      await this.write(by, 'tier.created', name, after, {
        from: base.name,
        ...difference(entitlementsOf(base), after),
      });
      return true;
    }
    const diff = difference(entitlementsOf(before), after);
    if (Object.keys(diff).length === 0) return false;
    await this.write(by, 'tier.updated', name, after, diff);
    return true;
  }

  /** Throws `conflict` while there are `keys` that have it. */
  async remove(by: Principal, name: string, keys: number): Promise<boolean> {
    if (isDefault(name)) {
      throw new AppError('conflict', `the tier ${name} comes with the service: it can be reset, not removed`);
    }
    await this.locked();
    await this.show(name);
    if (keys > 0) {
      const message = `${keys} key(s) have the tier ${name}: give them another one or revoke them first`;
      throw new AppError('conflict', message, { details: { keys } });
    }
    await this.write(by, 'tier.removed', name, null);
    return true;
  }

  /** Makes a default tier as it is shipped. */
  async reset(by: Principal, name: string): Promise<boolean> {
    await this.locked();
    const before = await this.show(name);
    if (!before.isDefault)
      throw new AppError('conflict', `the tier ${name} has no default: it can be removed`);
    const shipped = knownTiers([]).find((tier) => tier.name === name)!;
    const diff = difference(entitlementsOf(before), entitlementsOf(shipped));
    if (Object.keys(diff).length === 0) return false;
    await this.write(by, 'tier.reset', name, null, diff);
    return true;
  }

  /** As they are, and stay until the transaction ends. */
  private async locked(): Promise<KnownTier[]> {
    await this.tiers.lock();
    return this.list();
  }

  private async write(
    by: Principal,
    type: TierEvent,
    name: string,
    entitlements: Entitlements | null,
    diff?: Record<string, unknown>,
  ): Promise<void> {
    const [last] = await this.tiers.versions(name, 1);
    const version = (last?.version ?? 0) + 1;
    const stamp = { createdAt: this.clock.now(), createdBy: by.keyId };
    await this.tiers.add({ name, version, entitlements, ...stamp });
    await this.audit.append({
      type,
      project: OPERATOR_PROJECT,
      actor: { kind: by.kind, id: by.keyId },
      target: { kind: 'tier', id: name },
      outcome: 'ok',
      diff: { version, ...diff },
    });
  }
}

function noBase(name: string, from: string | undefined, tiers: KnownTier[]): AppError {
  const names = tiers.map((tier) => tier.name).join(', ');
  const message =
    from === undefined
      ? `there is no tier ${name} yet: from says which one it starts from, of ${names}`
      : `from must be one of ${names}`;
  return new AppError('invalid_request', message, { param: 'from' });
}

function difference(
  before: Entitlements,
  after: Entitlements,
): Record<string, { from: unknown; to: unknown }> {
  const fields = Object.keys(after) as (keyof Entitlements)[];
  const different = fields.filter((field) => !isDeepStrictEqual(before[field], after[field]));
  return Object.fromEntries(different.map((field) => [field, { from: before[field], to: after[field] }]));
}
