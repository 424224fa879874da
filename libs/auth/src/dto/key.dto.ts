import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { MODEL_FAMILIES } from '@app/common';
import type { ApiKey } from '../api-key.entity.js';
import { displayKey, type KeyKind } from '../key-format.js';
import type { IssuedKey, KeyPage } from '../keys.service.js';

const time = (description: string) =>
  ({ description, type: String, format: 'date-time', nullable: true, example: null }) as const;

/** A key as everybody but its owner sees it. */
export class KeyDto {
  @ApiProperty({ example: 'key_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  id: string;
  @ApiProperty({ description: 'The public part of the current secret.', example: '7Kd02mXq9LpR' })
  kid: string;
  @ApiProperty({ description: 'How to show the key.', example: 'cc_sk_7Kd02mXq9LpR_…a1B2' })
  display: string;
  @ApiProperty({ example: 'my-app' })
  project_id: string;
  @ApiProperty({ example: 'production' })
  name: string;
  @ApiProperty({ enum: ['inference', 'admin'] })
  kind: KeyKind;
  @ApiProperty({ enum: ['active', 'revoked'] })
  status: ApiKey['status'];
  @ApiProperty({ example: 'enterprise' })
  tier: string;
  @ApiProperty({ type: [String], example: [] })
  allow_agents: string[];
  @ApiProperty({ type: [String], example: [] })
  allow_skills: string[];
  @ApiProperty({ enum: MODEL_FAMILIES, isArray: true, nullable: true, example: null })
  models: string[] | null;
  @ApiProperty({ type: Number, nullable: true, example: null })
  requests_per_minute: number | null;
  @ApiProperty(time('Null = never.'))
  expires_at: string | null;
  @ApiProperty({ format: 'date-time', example: '2026-11-21T09:00:00.000Z' })
  created_at: string;
  @ApiProperty(time('To the minute; null = not yet.'))
  last_used_at: string | null;
  @ApiProperty(time('Null = not revoked.'))
  revoked_at: string | null;

  static from(key: ApiKey): KeyDto {
    const { kid, last4 } = key.currentSecret;
    return {
      id: key.id,
      kid,
      display: displayKey(key.kind, kid, last4),
      project_id: key.project,
      name: key.name,
      kind: key.kind,
      status: key.status,
      tier: key.tier,
      allow_agents: key.agents,
      allow_skills: key.skills,
      models: key.models,
      requests_per_minute: key.requestsPerMinute,
      expires_at: key.expiresAt?.toISOString() ?? null,
      created_at: key.createdAt.toISOString(),
      last_used_at: key.lastUsedAt?.toISOString() ?? null,
      revoked_at: key.revokedAt?.toISOString() ?? null,
    };
  }
}

/** A key that was just made or rotated. */
export class IssuedKeyDto extends KeyDto {
  @ApiProperty({
    description: 'The secret. Shown this once.',
    example: 'cc_sk_7Kd02mXq9LpR_0000000000000000000000000000000000000000000example',
  })
  key: string;

  static override from(key: IssuedKey): IssuedKeyDto {
    return { ...KeyDto.from(key), key: key.key };
  }
}

export class KeyListDto {
  @ApiProperty({ type: [KeyDto] })
  data: KeyDto[];
  @ApiProperty({ example: false })
  has_more: boolean;
  @ApiPropertyOptional({ type: String, nullable: true, example: null })
  next_cursor: string | null;

  static from({ data, nextCursor }: KeyPage): KeyListDto {
    return {
      data: data.map((key) => KeyDto.from(key)),
      has_more: nextCursor !== null,
      next_cursor: nextCursor,
    };
  }
}
