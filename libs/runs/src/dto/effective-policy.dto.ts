import { ApiProperty } from '@nestjs/swagger';
import type { EffectivePolicy } from '@app/permissions';

/** What a run may do, as the API tells it. */
export class EffectivePolicyDto {
  @ApiProperty({ type: [String], example: ['Read', 'Grep', 'Glob'] })
  tools: string[];
  @ApiProperty({ type: [String], example: ['security-auditor'] })
  agents: string[];
  @ApiProperty({ type: [String], example: [] })
  skills: string[];
  @ApiProperty({ enum: ['none'] })
  network: EffectivePolicy['network'];
  @ApiProperty({ enum: ['none', 'read', 'write'], description: 'Of the workspace.' })
  filesystem: EffectivePolicy['filesystem'];
  @ApiProperty({ example: 300 })
  timeout_seconds: number;
  @ApiProperty({ example: 1 })
  max_cost_usd: number;

  static from(policy: EffectivePolicy): EffectivePolicyDto {
    const { tools, agents, skills, network, filesystem, timeoutSeconds, maxCostUsd } = policy;
    const lists = { tools, agents, skills, network, filesystem };
    return { ...lists, timeout_seconds: timeoutSeconds, max_cost_usd: maxCostUsd };
  }
}
