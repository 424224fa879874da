export {
  type Available,
  type EffectivePolicy,
  effectivePolicy,
  NOTHING_AVAILABLE,
  type Refusal,
} from './effective-policy.js';
export { PermissionsGuard } from './permissions.guard.js';
export { PermissionsModule } from './permissions.module.js';
export {
  type Entitlements,
  FILESYSTEMS,
  type KnownTier,
  REACHES,
  type Tier,
  type TierVersion,
} from './tier.js';
export { TierBook } from './tier-book.service.js';
export type { TierChanges } from './tier-input.js';
export { Tiers } from './tiers.js';
