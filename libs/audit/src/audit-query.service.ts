import { Injectable } from '@nestjs/common';
import { AppError, type Principal, reachOf } from '@app/common';
import { AuditEventsRepository, type EventPlace } from './audit-events.repository.js';
import { AUDIT_EVENT_TYPES, AUDIT_OUTCOMES } from './audit-event.js';
import type { AuditQuestion } from './audit-question.js';
import type { AuditRecord } from './chain/audit-record.js';

export interface AuditPage {
  data: AuditRecord[];
  nextCursor: string | null;
}

const PAGE_SIZE = 50;

/** Answers what happened, the newest first, to those who manage the project that it happened in. */
@Injectable()
export class AuditQuery {
  constructor(private readonly events: AuditEventsRepository) {}

  async list(principal: Principal, question: AuditQuestion): Promise<AuditPage> {
    const { cursor, limit = PAGE_SIZE, ...filters } = question;
    requireOneOf('type', AUDIT_EVENT_TYPES, filters.type);
    requireOneOf('outcome', AUDIT_OUTCOMES, filters.outcome);
    const before = cursor === undefined ? undefined : placeOf(cursor);
    const reach = reachOf(principal);
    const project = question.project ?? reach;
    if (reach !== undefined && project !== reach) return { data: [], nextCursor: null };
    const found = await this.events.page({ ...filters, project }, before, limit + 1);
    const data = found.slice(0, limit);
    return { data, nextCursor: found.length > limit ? cursorOf(data.at(-1)!) : null };
  }
}

function requireOneOf(param: string, known: readonly string[], value: string | undefined): void {
  if (value === undefined || known.includes(value)) return;
  throw new AppError('invalid_request', `${param} must be one of ${known.join(', ')}`, { param });
}

function cursorOf({ at, project, seq }: AuditRecord): string {
  return Buffer.from(JSON.stringify([at, project, seq])).toString('base64url');
}

const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}Z$/;

function placeOf(cursor: string): EventPlace {
  try {
    const [at, project, seq] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const isPlace = TIME.test(at) && !Number.isNaN(Date.parse(at)) && /^[\w-]{1,64}$/.test(project);
    if (isPlace && Number.isSafeInteger(seq)) return { at, project, seq };
  } catch {
    // Refused below.
  }
  throw new AppError('invalid_request', 'cursor is not one of ours', { param: 'cursor' });
}
