import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import { type AuditRecord, CHAIN_START, type ChainHead } from './audit-record.js';

/** int8 arrives as text; a chain stays far below 2^53. */
type Row<T extends { seq: number }> = Omit<T, 'seq'> & { seq: string };

/** The chains of all projects. Rows are only ever added; the table's trigger refuses anything else. */
@Injectable()
export class AuditRepository {
  constructor(private readonly transactions: Transactions) {}

  /** The end of the chain, which nobody else can read for writing until our transaction ends. */
  async lockHead(project: string): Promise<ChainHead> {
    const rows = await this.transactions.manager.query<Row<ChainHead>[]>(
      `INSERT INTO audit_heads (project, seq, mac) VALUES ($1, $2, $3)
       ON CONFLICT (project) DO UPDATE SET project = EXCLUDED.project -- locks the row and returns it
       RETURNING seq, mac`,
      [project, CHAIN_START.seq, CHAIN_START.mac],
    );
    return withNumber(rows[0]!);
  }

  async append(record: AuditRecord): Promise<void> {
    const { project, seq, at, type, actor, target, outcome, diff, requestId, prev, mac, macKeyId } = record;
    await this.transactions.manager.query(
      `WITH event AS (
         INSERT INTO audit_events
           (project, seq, mac, at, type, actor, target, outcome, diff, request_id, prev, mac_key_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12))
       UPDATE audit_heads SET seq = $2, mac = $3 WHERE project = $1`,
      [project, seq, mac, at, type, actor, target, outcome, diff, requestId, prev, macKeyId],
    );
  }

  /** Where the chain ends at this moment, and whether there are events that its head does not know. */
  async end(project: string): Promise<{ head: ChainHead; more: boolean }> {
    const rows = await this.transactions.manager.query<(Row<ChainHead> & { more: boolean })[]>(
      `WITH head AS (SELECT seq, mac FROM audit_heads WHERE project = $1
                     UNION ALL SELECT $2, $3 ORDER BY seq DESC LIMIT 1)
       SELECT seq, mac, EXISTS (SELECT 1 FROM audit_events e WHERE project = $1 AND e.seq > head.seq) AS more
       FROM head`,
      [project, CHAIN_START.seq, CHAIN_START.mac],
    );
    const { more, ...head } = rows[0]!;
    return { head: withNumber(head), more };
  }

  /** In order, the events after `seq` up to `last`, at most `limit` of them. */
  async between(project: string, seq: number, last: number, limit: number): Promise<AuditRecord[]> {
    const rows = await this.transactions.manager.query<Row<AuditRecord>[]>(
      `SELECT project, seq, at, type, actor, target, outcome, diff,
              request_id AS "requestId", prev, mac, mac_key_id AS "macKeyId"
       FROM audit_events WHERE project = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4`,
      [project, seq, last, limit],
    );
    return rows.map(withNumber);
  }
}

function withNumber<T extends { seq: number }>(row: Row<T>): T {
  return { ...row, seq: Number(row.seq) } as unknown as T;
}
