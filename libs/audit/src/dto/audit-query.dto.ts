import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsISO8601, IsString, Matches } from 'class-validator';
import { Optional, PageQueryDto } from '@app/common';
import { AUDIT_EVENT_TYPES, AUDIT_OUTCOMES } from '../audit-event.js';
import type { AuditQuestion } from '../audit-question.js';

const PROJECT = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const NAME = /^\P{Cc}{1,200}$/u;
const named = (field: string) => `${field} must be 1 to 200 characters, none of them a control character`;
const timed = (field: string) => `${field} must be a time such as 2026-11-21T09:00:00Z`;

/** `?project=` of what concerns one chain or all of them. */
export class AuditProjectDto {
  @ApiPropertyOptional({ description: 'Left out: all that the key manages.', example: 'my-app' })
  @Optional()
  @Matches(PROJECT, {
    message: 'project must be 1 to 64 lower-case letters, digits, "-" or "_", a letter or digit first',
  })
  project?: string;
}

export class AuditExportDto extends AuditProjectDto {
  @ApiPropertyOptional({
    description: 'Only `jsonl` can be verified.',
    enum: ['jsonl', 'csv'],
    default: 'jsonl',
  })
  @Optional()
  @IsIn(['jsonl', 'csv'], { message: 'format must be jsonl or csv' })
  format?: 'jsonl' | 'csv';
}

/** The filters; all that are given must hold. */
export class AuditQueryDto extends PageQueryDto {
  @ApiPropertyOptional({ description: 'The events of this project.', example: 'my-app' })
  @Optional()
  @Matches(PROJECT, {
    message: 'project must be 1 to 64 lower-case letters, digits, "-" or "_", a letter or digit first',
  })
  project?: string;
  @ApiPropertyOptional({ enum: AUDIT_EVENT_TYPES })
  @Optional()
  @IsString()
  type?: string;
  @ApiPropertyOptional({
    description: 'Who did it: the id of a key, or `operator`.',
    example: 'key_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f',
  })
  @Optional()
  @Matches(NAME, { message: named('actor') })
  actor?: string;
  @ApiPropertyOptional({
    description: 'To what it was done: an id.',
    example: 'task_019ab0c6f1a27c3e8d0f5a1b2c3d4e5f',
  })
  @Optional()
  @Matches(NAME, { message: named('target') })
  target?: string;
  @ApiPropertyOptional({ enum: AUDIT_OUTCOMES })
  @Optional()
  @IsString()
  outcome?: string;
  @ApiPropertyOptional({ description: 'Not before.', format: 'date-time' })
  @Optional()
  @IsISO8601({ strict: true, strictSeparator: true }, { message: timed('from') })
  from?: string;
  @ApiPropertyOptional({ description: 'Before.', format: 'date-time' })
  @Optional()
  @IsISO8601({ strict: true, strictSeparator: true }, { message: timed('to') })
  to?: string;

  toQuestion(): AuditQuestion {
    const { from, to, ...rest } = this;
    return {
      ...rest,
      from: from === undefined ? from : new Date(from),
      to: to === undefined ? to : new Date(to),
    };
  }
}
