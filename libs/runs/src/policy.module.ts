import { Module } from '@nestjs/common';
import { AuthModule } from '@app/auth';
import { BudgetsModule } from '@app/budgets';
import { EcosystemModule } from '@app/ecosystem';
import { PermissionsModule } from '@app/permissions';
import { PolicyExplanation } from './policy-explanation.service.js';
import { PolicyController } from './policy.controller.js';
import { RunPolicy } from './run-policy.js';
import { Self } from './self/self.service.js';
import { SelfController } from './self/self.controller.js';
import { TierAdministration } from './tiers/tier-administration.service.js';
import { TiersController } from './tiers/tiers.controller.js';

const SHARED = [RunPolicy, PolicyExplanation, TierAdministration];

/** What a run may do, and who decides it, without what runs it: the command line asks here too. */
@Module({
  imports: [AuthModule, BudgetsModule, EcosystemModule, PermissionsModule],
  controllers: [PolicyController, SelfController, TiersController],
  providers: [...SHARED, Self],
  exports: SHARED,
})
export class PolicyModule {}
