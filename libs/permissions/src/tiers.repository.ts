import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import type { TierVersion } from './tier.js';

const VERSION = `name, version, entitlements, created_at AS "createdAt", created_by AS "createdBy"`;

/** Every version of every tier that was ever edited. Rows are only added. */
@Injectable()
export class TiersRepository {
  constructor(private readonly transactions: Transactions) {}

  /** The version in force of each. */
  async current(): Promise<TierVersion[]> {
    return this.transactions.manager.query(
      `SELECT DISTINCT ON (name) ${VERSION} FROM tiers ORDER BY name, version DESC`,
    );
  }

  /** Newest first. */
  async versions(name: string, limit: number): Promise<TierVersion[]> {
    return this.transactions.manager.query(
      `SELECT ${VERSION} FROM tiers WHERE name = $1 ORDER BY version DESC LIMIT $2`,
      [name, limit],
    );
  }

  async add({ name, version, entitlements, createdAt, createdBy }: TierVersion): Promise<void> {
    await this.transactions.manager.query(
      `INSERT INTO tiers (name, version, entitlements, created_at, created_by) VALUES ($1, $2, $3, $4, $5)`,
      [name, version, entitlements && JSON.stringify(entitlements), createdAt, createdBy],
    );
  }

  /** Makes changes of tiers take turns, across processes, until the transaction ends. */
  async lock(): Promise<void> {
    await this.transactions.manager.query(`SELECT pg_advisory_xact_lock(hashtext('claude-api:tiers'))`);
  }
}
