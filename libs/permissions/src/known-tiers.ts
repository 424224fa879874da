import { DEFAULT_TIERS } from './default-tiers.js';
import type { KnownTier, TierVersion } from './tier.js';

/** The tiers that there are, by these versions in force: the default ones first, then the others by name. */
export function knownTiers(versions: readonly TierVersion[]): KnownTier[] {
  const stored = new Map(versions.map((version) => [version.name, version]));
  const defaults = DEFAULT_TIERS.map((tier) => {
    const { version = 0, createdAt = null, createdBy = null, entitlements } = stored.get(tier.name) ?? {};
    return { ...tier, ...entitlements, version, createdAt, createdBy, isDefault: true };
  });
  const custom = versions.flatMap(({ entitlements, ...version }) =>
    entitlements === null || isDefault(version.name)
      ? []
      : [{ ...entitlements, ...version, network: 'none' as const, isDefault: false }],
  );
  return [...defaults, ...custom];
}

export function isDefault(name: string): boolean {
  return DEFAULT_TIERS.some((tier) => tier.name === name);
}
