export {
  type Available,
  type EffectivePolicy,
  effectivePolicy,
  NOTHING_AVAILABLE,
  type Refusal,
} from './effective-policy.js';
export { PermissionsGuard } from './permissions.guard.js';
export { PermissionsModule } from './permissions.module.js';
export type { Tier } from './tier.js';
export { Tiers } from './tiers.js';
