import { Module } from '@nestjs/common';
import { AuthModule } from '@app/auth';
import { EcosystemModule } from '@app/ecosystem';
import { PermissionsModule } from '@app/permissions';
import { PolicyExplanation } from './policy-explanation.service.js';
import { PolicyController } from './policy.controller.js';
import { RunPolicy } from './run-policy.js';

/** What a run may do, without what runs it: the command line asks here too. */
@Module({
  imports: [AuthModule, EcosystemModule, PermissionsModule],
  controllers: [PolicyController],
  providers: [RunPolicy, PolicyExplanation],
  exports: [RunPolicy, PolicyExplanation],
})
export class PolicyModule {}
