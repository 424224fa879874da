import { Injectable } from '@nestjs/common';
import { QueryFailedError } from 'typeorm';
import { Transactions } from '@app/database';
import type { AuditedChange, ChangeAnswer } from './audited-change.js';
import { type AuditRecord, CHAIN_START, type ChainHead } from './chain/audit-record.js';
import type { DatedHead } from './chain/chain-heads.js';

/** int8 arrives as text; a chain stays far below 2^53. */
type Row<T extends { seq: number }> = Omit<T, 'seq'> & { seq: string };

/**
 * The text that was chained. The column holds microseconds: a time that somebody moved by less than a
 * millisecond keeps its six digits and so is another text.
 */
export const AT_TEXT = `regexp_replace(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '000Z$', 'Z')`;
export const RECORD_COLUMNS = `project, seq, ${AT_TEXT} AS at, type, actor, target, outcome, diff,
  request_id AS "requestId", prev, mac, mac_key_id AS "macKeyId"`;

/** What `append_audit` says of a chain that has grown. */
const NOT_THE_END = 'AU001';

/** The chains of all projects. Rows are only ever added; the tables' triggers refuse anything else. */
@Injectable()
export class AuditRepository {
  constructor(private readonly transactions: Transactions) {}

  /** The end of the chain, which nobody else can read for writing until our transaction ends. */
  async lockHead(project: string): Promise<DatedHead> {
    const rows = await this.transactions.manager.query<Row<DatedHead>[]>(
      `INSERT INTO audit_heads (project, seq, mac) VALUES ($1, $2, $3)
       ON CONFLICT (project) DO UPDATE SET project = EXCLUDED.project -- locks the row and returns it
       RETURNING seq, mac, at`,
      [project, CHAIN_START.seq, CHAIN_START.mac],
    );
    return withNumber(rows[0]!);
  }

  async append(record: AuditRecord): Promise<void> {
    await this.transactions.manager.query(`SELECT append_audit(${places(0)})`, columnsOf(record));
  }

  /** Makes a change whose events are still to be appended, in the same transaction. */
  async make<T>({ call, values, events }: AuditedChange): Promise<ChangeAnswer<T>> {
    const rows = await this.transactions.manager.query<ChangeAnswer<T>[]>(
      `WITH made AS MATERIALIZED (SELECT ${call} AS said) SELECT said, ${events} AS events FROM made`,
      values,
    );
    return rows[0]!;
  }

  /**
   * Makes a change and appends the one event that tells of it. Undefined = nothing has happened: the chain does
   * not end before this record, or more than one event has to be told.
   */
  async makeAndAppend<T>(
    { call, values, events }: AuditedChange,
    record: AuditRecord,
  ): Promise<ChangeAnswer<T> | undefined> {
    try {
      const rows = await this.transactions.manager.query<ChangeAnswer<T>[]>(
        `WITH made AS MATERIALIZED (SELECT ${call} AS said),
           counted AS MATERIALIZED (SELECT said, ${events} AS events FROM made)
         SELECT said, events,
                -- No chain at all ends before a record of more than one event.
                CASE WHEN events > 0 THEN append_audit(${places(values.length, 'CASE WHEN events = 1 THEN $ END')}) END
         FROM counted`,
        [...values, ...columnsOf(record)],
      );
      return rows[0]!;
    } catch (error) {
      if (error instanceof QueryFailedError && error.driverError.code === NOT_THE_END) return undefined;
      throw error;
    }
  }

  /** Every project of which anything at all is left. */
  async projects(): Promise<string[]> {
    // Hops from project to project over the key: the table has many events of few projects.
    const rows = await this.transactions.manager.query<{ project: string }[]>(
      `WITH RECURSIVE named AS (
         (SELECT project FROM audit_events ORDER BY project LIMIT 1)
         UNION ALL
         SELECT (SELECT e.project FROM audit_events e WHERE e.project > named.project ORDER BY 1 LIMIT 1)
         FROM named WHERE named.project IS NOT NULL)
       SELECT project FROM named WHERE project IS NOT NULL
       UNION SELECT project FROM audit_heads UNION SELECT project FROM audit_checkpoints ORDER BY project`,
    );
    return rows.map(({ project }) => project);
  }

  async exists(project: string): Promise<boolean> {
    const [row] = await this.transactions.manager.query<{ known: boolean }[]>(
      `SELECT EXISTS (SELECT 1 FROM audit_heads WHERE project = $1 AND seq > 0)
           OR EXISTS (SELECT 1 FROM audit_checkpoints WHERE project = $1)
           OR EXISTS (SELECT 1 FROM audit_events WHERE project = $1) AS known`,
      [project],
    );
    return row!.known;
  }

  /**
   * Where the chain ends at this moment, where it begins, and whether there are events that its head does not
   * know. `first` is null when there are none at all.
   */
  async ends(project: string): Promise<{ head: ChainHead; first: number | null; more: boolean }> {
    const rows = await this.transactions.manager.query<
      (Row<ChainHead> & { first: string | null; more: boolean })[]
    >(
      `WITH head AS (SELECT seq, mac FROM audit_heads WHERE project = $1
                     UNION ALL SELECT $2, $3 ORDER BY seq DESC LIMIT 1)
       SELECT seq, mac, (SELECT min(e.seq) FROM audit_events e WHERE project = $1) AS first,
              EXISTS (SELECT 1 FROM audit_events e WHERE project = $1 AND e.seq > head.seq) AS more
       FROM head`,
      [project, CHAIN_START.seq, CHAIN_START.mac],
    );
    const { more, first, seq, mac } = rows[0]!;
    return { head: { seq: Number(seq), mac }, first: first === null ? null : Number(first), more };
  }

  /** The last event of each project in one partition, whose name is the catalogue's. */
  async lastOfEach(partition: string): Promise<{ project: string; seq: number }[]> {
    const rows = await this.transactions.manager.query<{ project: string; seq: string }[]>(
      `SELECT project, max(seq) AS seq FROM ${partition} GROUP BY project ORDER BY project`,
    );
    return rows.map(({ project, seq }) => ({ project, seq: Number(seq) }));
  }

  /**
   * In order, the events after `seq` up to `last`. More than `last - seq` come only when a number is there
   * twice, and then one too many is enough to see it.
   */
  async between(project: string, seq: number, last: number): Promise<AuditRecord[]> {
    const rows = await this.transactions.manager.query<Row<AuditRecord>[]>(
      `SELECT ${RECORD_COLUMNS} FROM audit_events
       WHERE project = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4`,
      [project, seq, last, last - seq + 1],
    );
    return rows.map(withNumber);
  }
}

/** In the order of `append_audit`'s parameters. */
function columnsOf(record: AuditRecord): unknown[] {
  const { project, seq, at, type, actor, target, outcome, diff, requestId, prev, mac, macKeyId } = record;
  return [project, seq, mac, at, type, actor, target, outcome, diff, requestId, prev, macKeyId];
}

/** `$n` for each of those after so many others; the first as `project` says. */
function places(others: number, project = '$'): string {
  return Array.from({ length: 12 }, (_, index) => {
    const place = `$${others + index + 1}`;
    return index === 0 ? project.replace('$', () => place) : place;
  }).join(', ');
}

export function withNumber<T extends { seq: number }>(row: Row<T>): T {
  // The row is ours, and there may be a great many: nothing is copied.
  return Object.assign(row, { seq: Number(row.seq) }) as unknown as T;
}
