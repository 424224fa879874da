import { ApiProperty } from '@nestjs/swagger';
import type { Refusal } from '@app/permissions';
import type { PolicyAnswer } from '../policy-explanation.service.js';
import { EffectivePolicyDto } from './effective-policy.dto.js';

class RefusalDto implements Refusal {
  @ApiProperty({ example: 'tool:Bash' })
  item: string;
  @ApiProperty({ description: '`tier:<name>`, `key` or `network:none`.', example: 'tier:free' })
  rule: string;
  @ApiProperty({ example: 'the tier free does not allow the tool Bash' })
  message: string;
}

export class PolicyExplanationDto {
  @ApiProperty({ description: 'Whether the task would be taken: true when nothing is refused.' })
  allowed: boolean;
  @ApiProperty({
    type: EffectivePolicyDto,
    description: 'What is left once everything refused is taken out.',
  })
  effective_policy: EffectivePolicyDto;
  @ApiProperty({ type: [RefusalDto] })
  refusals: RefusalDto[];
  @ApiProperty({
    type: [String],
    description: 'Grants that name nothing, and rights that the file of an agent or skill asks for in vain.',
    example: [],
  })
  notes: string[];

  static from({ allowed, policy, refusals, notes }: PolicyAnswer): PolicyExplanationDto {
    return { allowed, effective_policy: EffectivePolicyDto.from(policy), refusals, notes };
  }
}
