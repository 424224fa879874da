import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Caller, type Principal, Requires } from '@app/common';
import { ExplainPolicyDto } from './dto/explain-policy.dto.js';
import { PolicyExplanationDto } from './dto/policy-explanation.dto.js';
import { PolicyExplanation } from './policy-explanation.service.js';

@ApiTags('administration')
@Controller('v1/admin/policy')
export class PolicyController {
  constructor(private readonly explanation: PolicyExplanation) {}

  @Post('explain')
  @HttpCode(200)
  @Requires('keys:read')
  @ApiOperation({
    summary: 'Say what a task would get',
    description: 'By the rules that decide it, with every refusal and its rule. Nothing is started.',
  })
  @ApiOkResponse({ type: PolicyExplanationDto })
  async explain(
    @Caller() principal: Principal,
    @Body() dto: ExplainPolicyDto,
  ): Promise<PolicyExplanationDto> {
    return PolicyExplanationDto.from(await this.explanation.explain(principal, dto.toQuestion()));
  }
}
