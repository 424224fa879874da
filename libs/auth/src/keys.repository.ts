import { Injectable } from '@nestjs/common';
import { Transactions } from '@app/database';
import { LessThan } from 'typeorm';
import { ApiKey, ApiKeySecret } from './api-key.entity.js';
import { KID_PATTERN } from './key-format.js';

const KEY_ID_PATTERN = /^key_[0-9a-f]{32}$/;
const RELATIONS = { secrets: true, home: true } as const;

/** One key, or all of a tier or of a project that are not revoked. */
export type KeySet = { id: string } | { tier: string } | { project: string };

/** Every query on keys. A `project` of undefined means all projects. */
@Injectable()
export class KeysRepository {
  constructor(private readonly transactions: Transactions) {}

  private get manager() {
    return this.transactions.manager;
  }

  /** Makes the project when it is not there. False: it is disabled, else it cannot be until the transaction ends. */
  async ensureProject(id: string): Promise<boolean> {
    await this.manager.query('INSERT INTO projects (id) VALUES ($1) ON CONFLICT DO NOTHING', [id]);
    const rows: { enabled: boolean }[] = await this.manager.query(
      'SELECT disabled_at IS NULL AS enabled FROM projects WHERE id = $1 FOR SHARE',
      [id],
    );
    return rows[0]!.enabled;
  }

  async insert(key: ApiKey): Promise<void> {
    const { secrets, home: _, ...columns } = key;
    await this.manager.insert(ApiKey, columns);
    await this.manager.insert(ApiKeySecret, secrets);
  }

  /** `ref` is an id or the kid of one of the key's secrets. */
  async find(ref: string, project: string | undefined): Promise<ApiKey | null> {
    const id = KEY_ID_PATTERN.test(ref) ? ref : await this.keyOf(ref);
    if (id === undefined) return null;
    return this.manager.findOne(ApiKey, { where: { id, ...within(project) }, relations: RELATIONS });
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
      relations: RELATIONS,
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

  /** Holds these keys against other changes until the transaction ends; says how many there are. */
  async lockAll(keys: KeySet): Promise<number> {
    const [condition, value] = conditionOf(keys);
    const rows: { count: number }[] = await this.manager.query(
      `SELECT count(*)::int FROM (
         SELECT 1 FROM api_keys WHERE ${condition} ORDER BY id FOR NO KEY UPDATE) held`,
      [value],
    );
    return rows[0]!.count;
  }

  /**
   * Gives these keys their next epoch and the next number of the installation's change log. The log's row stays
   * locked until the commit, so numbers become visible in order and a poll for "later than n" misses none.
   */
  async stamp(keys: KeySet): Promise<void> {
    const [condition, value] = conditionOf(keys);
    await this.manager.query(
      `WITH next AS (UPDATE auth_revision SET revision = revision + 1 RETURNING revision)
       UPDATE api_keys SET epoch = epoch + 1, revision = next.revision FROM next WHERE ${condition}`,
      [value],
    );
  }

  /** The keys changed after `revision` (none when it is undefined) and the number reached. `ended`: it works no more. */
  async changedSince(
    revision: string | undefined,
  ): Promise<{ revision: string; keys: { id: string; ended: boolean }[] }> {
    const rows: { revision: string; id: string | null; ended: boolean }[] = await this.manager.query(
      `SELECT r.revision, k.id, k.status = 'revoked' OR p.disabled_at IS NOT NULL AS ended
       FROM auth_revision r
       LEFT JOIN api_keys k ON k.revision > coalesce($1::bigint, r.revision)
       LEFT JOIN projects p ON p.id = k.project_id`,
      [revision ?? null],
    );
    const keys = rows.flatMap(({ id, ended }) => (id === null ? [] : [{ id, ended }]));
    return { revision: rows[0]!.revision, keys };
  }

  async secretWithKey(kid: string): Promise<ApiKeySecret | null> {
    // One statement, where `findOne` with a relation makes two: this is the way of every request with a new key.
    return this.manager
      .createQueryBuilder(ApiKeySecret, 'secret')
      .innerJoinAndSelect('secret.apiKey', 'key')
      .innerJoinAndSelect('key.home', 'home')
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

function conditionOf(keys: KeySet): [sql: string, value: string] {
  if ('id' in keys) return ['id = $1', keys.id];
  return 'tier' in keys
    ? [`tier = $1 AND status = 'active'`, keys.tier]
    : [`project_id = $1 AND status = 'active'`, keys.project];
}

function within(project: string | undefined): { project?: string } {
  return project === undefined ? {} : { project };
}
