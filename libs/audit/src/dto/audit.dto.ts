import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { AuditPage } from '../audit-query.service.js';
import { AUDIT_EVENT_TYPES, AUDIT_OUTCOMES } from '../audit-event.js';
import type { AuditRecord } from '../chain/audit-record.js';
import { CHAIN_FLAWS } from '../chain/chain-check.js';
import type { ChainVerdict } from '../chain/chain-verdict.js';

class PartyDto {
  @ApiProperty({ example: 'key' })
  kind: string;
  @ApiProperty({ example: 'key_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  id: string;
}

/** One thing that happened. */
export class AuditEventDto {
  @ApiProperty({ example: 'my-app' })
  project: string;
  @ApiProperty({ description: 'Its place in the chain of its project.', example: 42 })
  seq: number;
  @ApiProperty({ format: 'date-time' })
  at: string;
  @ApiProperty({ enum: AUDIT_EVENT_TYPES })
  type: string;
  @ApiProperty({ description: 'Who did it.' })
  actor: PartyDto;
  @ApiProperty({ description: 'To what.' })
  target: PartyDto;
  @ApiProperty({ enum: AUDIT_OUTCOMES })
  outcome: string;
  @ApiProperty({
    description: 'What changed; never content, never a secret.',
    type: 'object',
    additionalProperties: true,
    nullable: true,
  })
  diff: Record<string, unknown> | null;
  @ApiProperty({ type: String, nullable: true, example: 'req_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f' })
  request_id: string | null;

  static from({
    project,
    seq,
    at,
    type,
    actor,
    target,
    outcome,
    diff,
    requestId,
  }: AuditRecord): AuditEventDto {
    return { project, seq, at, type, actor, target, outcome, diff, request_id: requestId };
  }
}

export class AuditPageDto {
  @ApiProperty({ type: [AuditEventDto] })
  data: AuditEventDto[];
  @ApiProperty({ example: false })
  has_more: boolean;
  @ApiPropertyOptional({ type: String, nullable: true, example: null })
  next_cursor: string | null;

  static from({ data, nextCursor }: AuditPage): AuditPageDto {
    return {
      data: data.map((record) => AuditEventDto.from(record)),
      has_more: nextCursor !== null,
      next_cursor: nextCursor,
    };
  }
}

class ChainFaultDto {
  @ApiProperty({ description: 'The first event that is not as it was written.', example: 17 })
  seq: number;
  @ApiProperty({ enum: Object.keys(CHAIN_FLAWS) })
  flaw: string;
  @ApiProperty({ example: CHAIN_FLAWS.edited })
  message: string;
  @ApiPropertyOptional({ description: 'The fault lies after this event, when it cannot be told closer.' })
  after?: number;
}

class ChainVerdictDto {
  @ApiProperty({ example: 'my-app' })
  project: string;
  @ApiProperty()
  ok: boolean;
  @ApiProperty({ description: 'How many were read and are right.' })
  events: number;
  @ApiProperty({ description: 'The first event that is kept.' })
  from_seq: number;
  @ApiProperty({ description: 'The last that is right.' })
  to_seq: number;
  @ApiProperty({ description: 'Up to here a signed checkpoint agrees.', type: Number, nullable: true })
  signed_seq: number | null;
  @ApiProperty({ description: 'When that was signed.', type: String, format: 'date-time', nullable: true })
  signed_at: string | null;
  @ApiProperty({ type: ChainFaultDto, nullable: true })
  fault: ChainFaultDto | null;

  static from({ project, ok, events, from, to, signed, fault }: ChainVerdict): ChainVerdictDto {
    return {
      ...{ project, ok, events, from_seq: from, to_seq: to },
      ...{ signed_seq: signed?.seq ?? null, signed_at: signed?.at ?? null },
      fault: fault ? { ...fault, message: CHAIN_FLAWS[fault.flaw] } : null,
    };
  }
}

export class AuditVerdictDto {
  @ApiProperty()
  ok: boolean;
  @ApiProperty({ description: 'For whoever checks an export.', example: 'ed25519:…' })
  public_key: string;
  @ApiProperty({ description: 'How long it took.' })
  elapsed_ms: number;
  @ApiProperty({ type: [ChainVerdictDto] })
  chains: ChainVerdictDto[];

  static from(verdict: { publicKey: string; elapsedMs: number; chains: ChainVerdict[] }): AuditVerdictDto {
    return {
      ok: verdict.chains.every((chain) => chain.ok),
      public_key: verdict.publicKey,
      elapsed_ms: Math.round(verdict.elapsedMs),
      chains: verdict.chains.map((chain) => ChainVerdictDto.from(chain)),
    };
  }
}
