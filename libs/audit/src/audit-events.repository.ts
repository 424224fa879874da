import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import type { AuditQuestion } from './audit-question.js';
import { RECORD_COLUMNS, withNumber } from './audit.repository.js';
import type { AuditRecord } from './chain/audit-record.js';

/** Where an event stands among those of all projects. */
export interface EventPlace {
  at: string;
  project: string;
  seq: number;
}

/** A condition for each filter, `$` standing for its value. */
const CONDITIONS = {
  project: 'project = $',
  type: 'type = $',
  actor: "actor->>'id' = $",
  target: "target->>'id' = $",
  outcome: 'outcome = $',
  from: 'at >= $',
  to: 'at < $',
} as const;

/** Looks for events by what they say. */
@Injectable()
export class AuditEventsRepository {
  constructor(private readonly transactions: Transactions) {}

  /** The newest first, those before a place when one is given. */
  async page(
    filters: Pick<AuditQuestion, keyof typeof CONDITIONS>,
    before: EventPlace | undefined,
    limit: number,
  ): Promise<AuditRecord[]> {
    const values: unknown[] = [];
    const put = (value: unknown) => `$${values.push(value)}`;
    const conditions = (Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[])
      .filter((name) => filters[name] !== undefined)
      .map((name) => CONDITIONS[name].replace('$', () => put(filters[name])));
    if (before) {
      const { at, project, seq } = before;
      conditions.push(`(at, project, seq) < (${put(at)}::timestamptz, ${put(project)}, ${put(seq)}::bigint)`);
    }
    const rows = await this.transactions.manager.query<(Omit<AuditRecord, 'seq'> & { seq: string })[]>(
      // The column, not the text of the same name that is selected.
      `SELECT ${RECORD_COLUMNS} FROM audit_events e ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}
       ORDER BY e.at DESC, e.project DESC, e.seq DESC LIMIT ${put(limit)}`,
      values,
    );
    return rows.map((row) => withNumber<AuditRecord>(row));
  }
}
