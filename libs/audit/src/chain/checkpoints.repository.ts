import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import { AT_TEXT, withNumber } from '../audit.repository.js';
import type { Checkpoint } from './checkpoint.js';

const COLUMNS = `project, seq, mac, digest, reason, ${AT_TEXT} AS at, key_id AS "keyId", signature`;
type Row = Omit<Checkpoint, 'seq'> & { seq: string };

/** Where chains stood, signed; only ever added, like the events. */
@Injectable()
export class CheckpointsRepository {
  constructor(private readonly transactions: Transactions) {}

  /** False when there is one of this place and reason already. */
  async add({ project, seq, mac, digest, reason, at, keyId, signature }: Checkpoint): Promise<boolean> {
    const added = await this.transactions.manager.query<unknown[]>(
      `INSERT INTO audit_checkpoints (project, seq, mac, digest, reason, at, key_id, signature)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING 1`,
      [project, seq, mac, digest, reason, at, keyId, signature],
    );
    return added.length > 0;
  }

  /** In order. */
  async of(project: string): Promise<Checkpoint[]> {
    const rows = await this.transactions.manager.query<Row[]>(
      `SELECT ${COLUMNS} FROM audit_checkpoints WHERE project = $1 ORDER BY seq, reason`,
      [project],
    );
    return rows.map((row) => withNumber<Checkpoint>(row));
  }

  /** Projects whose chain went on by `events`, or at all since `before`, without being signed. */
  async due(events: number, before: Date): Promise<string[]> {
    const rows = await this.transactions.manager.query<{ project: string }[]>(
      `SELECT head.project FROM audit_heads head
       LEFT JOIN LATERAL (SELECT seq, at FROM audit_checkpoints c WHERE c.project = head.project
                          ORDER BY seq DESC LIMIT 1) newest ON true
       WHERE head.seq >= coalesce(newest.seq, 0) + $1
          OR head.seq > coalesce(newest.seq, 0) AND coalesce(newest.at, 'epoch') < $2
       ORDER BY head.project`,
      [events, before],
    );
    return rows.map(({ project }) => project);
  }
}
