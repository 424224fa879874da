import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import { LessThan } from 'typeorm';
import { ApiKey, ApiKeySecret } from './api-key.entity.js';
import { KID_PATTERN } from './key-format.js';

const KEY_ID_PATTERN = /^key_[0-9a-f]{32}$/;

/** Every query on keys. A `project` of undefined means all projects. */
@Injectable()
export class KeysRepository {
  constructor(private readonly transactions: Transactions) {}

  private get manager() {
    return this.transactions.manager;
  }

  async ensureProject(id: string): Promise<void> {
    await this.manager.query('INSERT INTO projects (id) VALUES ($1) ON CONFLICT DO NOTHING', [id]);
  }

  async insert(key: ApiKey): Promise<void> {
    const { secrets, ...columns } = key;
    await this.manager.insert(ApiKey, columns);
    await this.manager.insert(ApiKeySecret, secrets);
  }

  /** `ref` is an id or the kid of one of the key's secrets. */
  async find(ref: string, project: string | undefined): Promise<ApiKey | null> {
    const id = KEY_ID_PATTERN.test(ref) ? ref : await this.keyOf(ref);
    if (id === undefined) return null;
    return this.manager.findOne(ApiKey, { where: { id, ...within(project) }, relations: { secrets: true } });
  }

  /** The same, held against other changes until the transaction ends. */
  async lock(ref: string, project: string | undefined): Promise<ApiKey | null> {
    const key = await this.find(ref, project);
    if (!key) return null;
    await this.manager.query('SELECT 1 FROM api_keys WHERE id = $1 FOR UPDATE', [key.id]);
    return this.find(key.id, project);
  }

  /** Newest first: ids carry their time of birth. */
  async page(project: string | undefined, before: string | undefined, size: number): Promise<ApiKey[]> {
    return this.manager.find(ApiKey, {
      where: { ...within(project), ...(before !== undefined && { id: LessThan(before) }) },
      relations: { secrets: true },
      order: { id: 'DESC' },
      take: size,
    });
  }

  async save(key: ApiKey): Promise<void> {
    const { id, name, tier, agents, skills, models, requestsPerMinute, status, expiresAt, revokedAt } = key;
    const columns = { name, tier, agents, skills, models, requestsPerMinute, status, expiresAt, revokedAt };
    await this.manager.update(ApiKey, { id }, columns);
  }

  /** Puts a new secret in the place of the old one, which stays until its `notAfter`; still older ones go. */
  async replaceSecret(old: ApiKeySecret, next: ApiKeySecret): Promise<void> {
    await this.manager.query('DELETE FROM api_key_secrets WHERE key_id = $1 AND kid <> $2', [
      old.keyId,
      old.kid,
    ]);
    await this.manager.update(ApiKeySecret, { kid: old.kid }, { notAfter: old.notAfter });
    await this.manager.insert(ApiKeySecret, next);
  }

  /**
   * Gives the key its next epoch and the next number of the installation's change log. The log's row stays
   * locked until the commit, so numbers become visible in order and a poll for "later than n" misses none.
   */
  async stamp(id: string): Promise<void> {
    await this.manager.query(
      `WITH next AS (UPDATE auth_revision SET revision = revision + 1 RETURNING revision)
       UPDATE api_keys SET epoch = epoch + 1, revision = next.revision FROM next WHERE id = $1`,
      [id],
    );
  }

  /** The keys changed after `revision` (none when it is undefined) and the number reached. */
  async changedSince(
    revision: string | undefined,
  ): Promise<{ revision: string; keys: { id: string; status: ApiKey['status'] }[] }> {
    const rows: { revision: string; id: string | null; status: ApiKey['status'] }[] =
      await this.manager.query(
        `SELECT r.revision, k.id, k.status
       FROM auth_revision r LEFT JOIN api_keys k ON k.revision > coalesce($1::bigint, r.revision)`,
        [revision ?? null],
      );
    const keys = rows.flatMap(({ id, status }) => (id === null ? [] : [{ id, status }]));
    return { revision: rows[0]!.revision, keys };
  }

  async secretWithKey(kid: string): Promise<ApiKeySecret | null> {
    // One statement, where `findOne` with a relation makes two: this is the way of every request with a new key.
    return this.manager
      .createQueryBuilder(ApiKeySecret, 'secret')
      .innerJoinAndSelect('secret.apiKey', 'key')
      .where('secret.kid = :kid', { kid })
      .getOne();
  }

  /** Of those kids that belong to a key. */
  async ownersOf(kids: string[]): Promise<{ kid: string; keyId: string; project: string }[]> {
    return this.manager.query(
      `SELECT s.kid, k.id AS "keyId", k.project_id AS project
       FROM api_key_secrets s JOIN api_keys k ON k.id = s.key_id WHERE s.kid = ANY($1)`,
      [kids],
    );
  }

  /** Makes bootstraps take turns, across processes, until the transaction ends. */
  async lockBootstrap(): Promise<void> {
    await this.manager.query(`SELECT pg_advisory_xact_lock(hashtext('claude-api:bootstrap'))`);
  }

  async adminExists(): Promise<boolean> {
    return this.manager.existsBy(ApiKey, { kind: 'admin' });
  }

  /** Skips keys whose time is less than a minute old, whichever process wrote it. */
  async markUsed(uses: ReadonlyMap<string, Date>): Promise<void> {
    await this.manager.query(
      `UPDATE api_keys SET last_used_at = used.at
       FROM unnest($1::text[], $2::timestamptz[]) AS used(id, at)
       WHERE api_keys.id = used.id
         AND (last_used_at IS NULL OR last_used_at < used.at - interval '1 minute')`,
      [[...uses.keys()], [...uses.values()]],
    );
  }
  private async keyOf(kid: string): Promise<string | undefined> {
    if (!KID_PATTERN.test(kid)) return undefined;
    return (await this.manager.findOneBy(ApiKeySecret, { kid }))?.keyId;
  }
}

function within(project: string | undefined): { project?: string } {
  return project === undefined ? {} : { project };
}
