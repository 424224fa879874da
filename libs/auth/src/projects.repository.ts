import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';

/** A project, and how many keys it has. */
export interface ProjectView {
  id: string;
  createdAt: Date;
  /** None of its keys works while this is set. */
  disabledAt: Date | null;
  activeKeys: number;
  revokedKeys: number;
}

const VIEW = `
  SELECT p.id, p.created_at AS "createdAt", p.disabled_at AS "disabledAt", k.*
  FROM projects p CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'active')::int AS "activeKeys",
           count(*) FILTER (WHERE status = 'revoked')::int AS "revokedKeys"
    FROM api_keys WHERE project_id = p.id) k`;

/** Every query on projects alone. */
@Injectable()
export class ProjectsRepository {
  constructor(private readonly transactions: Transactions) {}

  private get manager() {
    return this.transactions.manager;
  }

  /** By name. `only`: of this one project. */
  async page(only: string | undefined, after: string | undefined, size: number): Promise<ProjectView[]> {
    return this.manager.query(
      `${VIEW} WHERE ($1::text IS NULL OR p.id = $1) AND ($2::text IS NULL OR p.id > $2) ORDER BY p.id LIMIT $3`,
      [only ?? null, after ?? null, size],
    );
  }

  async find(id: string): Promise<ProjectView | undefined> {
    const [view]: ProjectView[] = await this.manager.query(`${VIEW} WHERE p.id = $1`, [id]);
    return view;
  }

  /** False when it is there already. */
  async insert(id: string, createdAt: Date): Promise<boolean> {
    const rows: unknown[] = await this.manager.query(
      'INSERT INTO projects (id, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id',
      [id, createdAt],
    );
    return rows.length > 0;
  }

  /** Null = enabled. False when it was so already. */
  async setDisabledAt(id: string, at: Date | null): Promise<boolean> {
    const [, changed]: [unknown, number] = await this.manager.query(
      'UPDATE projects SET disabled_at = $2 WHERE id = $1 AND (disabled_at IS NULL) <> ($2::timestamptz IS NULL)',
      [id, at],
    );
    return changed > 0;
  }
}
