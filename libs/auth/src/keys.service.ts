import { Injectable } from '@nestjs/common';
import { AppError, Clock, newId, type Principal, reachOf } from '@app/common';
import { Transactions } from '@app/database';
import { Tiers } from '@app/permissions';
import { ApiKey, ApiKeySecret } from './api-key.entity.js';
import { invalidInput, noSuchKey, projectDisabled } from './auth.errors.js';
import {
  checkKeyInput,
  checkOverlap,
  checkProject,
  type CreateKeyInput,
  type UpdateKeyInput,
} from './key-input.js';
import { KeyJournal } from './key-journal.js';
import { KeySecrets, type MintedSecret } from './key-secrets.js';
import { KeyVerifier } from './key-verifier.js';
import { KeysRepository } from './keys.repository.js';

/** A key with the secret that was just made for it: the only time that it can be read. */
export type IssuedKey = ApiKey & { key: string };

export interface KeyPage {
  data: ApiKey[];
  nextCursor: string | null;
}

const PAGE_SIZE = 50;
const CURSOR_PATTERN = /^key_[0-9a-f]{32}$/;

/**
 * The life of keys. Each change is one transaction with its epoch, audit event and notification, and no
 * caller reaches a key outside the projects it manages: such a key does not exist for it.
 */
@Injectable()
export class KeysService {
  constructor(
    private readonly transactions: Transactions,
    private readonly keys: KeysRepository,
    private readonly journal: KeyJournal,
    private readonly secrets: KeySecrets,
    private readonly verifier: KeyVerifier,
    private readonly tiers: Tiers,
    private readonly clock: Clock,
  ) {}

  async create(principal: Principal, input: CreateKeyInput): Promise<IssuedKey> {
    const project = checkProject(input.project ?? (input.admin ? principal.project : undefined));
    await this.check(input);
    const reach = reachOf(principal);
    if (reach !== undefined && project !== reach) {
      throw new AppError('permission_denied', `this key manages the project ${reach} only`, {
        param: 'project_id',
      });
    }
    const key = this.newKey(principal, project, input);
    const minted = this.secrets.mint(key.kind);
    key.secrets = [this.secretOf(key, minted)];
    await this.transactions.run(async () => {
      if (!(await this.keys.ensureProject(project))) throw projectDisabled(project);
      await this.keys.insert(key);
      const { name, tier, kind, grants, expiresAt } = key;
      await this.journal.record(principal, 'key.created', key, { name, tier, kind, ...grants, expiresAt });
    });
    return Object.assign(key, { key: minted.key });
  }

  /** Newest first. `project` narrows to one. */
  async list(
    principal: Principal,
    input: { project?: string; limit?: number; cursor?: string } = {},
  ): Promise<KeyPage> {
    const { project, limit = PAGE_SIZE, cursor } = input;
    if (cursor !== undefined && !CURSOR_PATTERN.test(cursor))
      throw invalidInput('cursor', 'is not one of ours');
    const reach = reachOf(principal) ?? project;
    if (project !== undefined && project !== reach) return { data: [], nextCursor: null };
    const found = await this.keys.page(reach, cursor, limit + 1);
    const data = found.slice(0, limit);
    return { data, nextCursor: found.length > limit ? data.at(-1)!.id : null };
  }

  /** `ref`: the key's id, or the kid of one of its secrets. */
  async show(principal: Principal, ref: string): Promise<ApiKey> {
    return (await this.keys.find(ref, reachOf(principal))) ?? refuse();
  }

  async update(principal: Principal, ref: string, input: UpdateKeyInput): Promise<ApiKey> {
    await this.check(input);
    if (input.expiresAt && input.expiresAt <= this.clock.now()) {
      throw invalidInput('expires_at', 'must lie in the future; to end a key now, revoke it');
    }
    return this.change(principal, ref, async (key) => {
      const diff = apply(key, input);
      if (Object.keys(diff).length === 0) return;
      await this.keys.save(key);
      await this.journal.record(principal, 'key.updated', key, diff);
    });
  }

  /** A new secret for the same key; the old one works for `overlapSeconds` more. */
  async rotate(
    principal: Principal,
    ref: string,
    input: { overlapSeconds?: number } = {},
  ): Promise<IssuedKey> {
    const overlapSeconds = checkOverlap(input.overlapSeconds);
    let minted: MintedSecret;
    const key = await this.change(principal, ref, async (rotated) => {
      minted = this.secrets.mint(rotated.kind);
      const [old, next] = [rotated.currentSecret, this.secretOf(rotated, minted)];
      old.notAfter = new Date(this.clock.now().getTime() + overlapSeconds * 1000);
      await this.keys.replaceSecret(old, next);
      rotated.secrets = [old, next];
      const diff = { from: old.kid, to: next.kid, overlap_seconds: overlapSeconds };
      await this.journal.record(principal, 'key.rotated', rotated, diff);
    });
    return Object.assign(key, { key: minted!.key });
  }

  /** For good. Revoking a revoked key changes nothing. */
  async revoke(principal: Principal, ref: string): Promise<ApiKey> {
    return this.transactions.run(async () => {
      const key = (await this.keys.lock(ref, reachOf(principal))) ?? refuse();
      if (key.status === 'revoked') return key;
      key.status = 'revoked';
      key.revokedAt = this.clock.now();
      await this.keys.save(key);
      await this.journal.record(principal, 'key.revoked', key);
      return key;
    });
  }

  /** The key that a secret opens right now; throws `invalid_api_key` when it opens none. */
  async test(principal: Principal, presented: string): Promise<ApiKey> {
    const { keyId } = await this.verifier.verify(presented);
    return this.show(principal, keyId);
  }

  /** Who acts when work that a key asked for starts later; null when the key was revoked or has expired. */
  async principalOf(keyId: string): Promise<Principal | null> {
    const key = await this.keys.find(keyId, undefined);
    if (!key || key.liveUntil <= this.clock.now().getTime()) return null;
    return this.verifier.principalOf(key);
  }

  private async check(input: UpdateKeyInput & { expiresInSeconds?: number }): Promise<void> {
    checkKeyInput(input);
    if (input.tier !== undefined) await this.tiers.require(input.tier);
  }

  private change(principal: Principal, ref: string, work: (key: ApiKey) => Promise<void>): Promise<ApiKey> {
    return this.transactions.run(async () => {
      const key = (await this.keys.lock(ref, reachOf(principal))) ?? refuse();
      if (key.status === 'revoked') throw new AppError('conflict', 'the key is revoked: make a new one');
      await work(key);
      return key;
    });
  }

  private newKey(principal: Principal, project: string, input: CreateKeyInput): ApiKey {
    const now = this.clock.now();
    return Object.assign(new ApiKey(), {
      id: newId('key'),
      project,
      name: input.name ?? '',
      tier: input.tier ?? (input.admin ? 'enterprise' : 'free'),
      kind: input.admin ? ('admin' as const) : ('inference' as const),
      agents: input.agents ?? [],
      skills: input.skills ?? [],
      models: input.models ?? null,
      requestsPerMinute: input.requestsPerMinute ?? null,
      status: 'active' as const,
      expiresAt:
        input.expiresInSeconds === undefined ? null : new Date(now.getTime() + input.expiresInSeconds * 1000),
      createdBy: principal.keyId,
      createdAt: now,
      lastUsedAt: null,
      revokedAt: null,
    });
  }

  private secretOf(key: ApiKey, { kid, digest, last4 }: MintedSecret): ApiKeySecret {
    const createdAt = this.clock.now();
    return Object.assign(new ApiKeySecret(), {
      kid,
      keyId: key.id,
      digest,
      last4,
      notAfter: null,
      createdAt,
    });
  }
}

function refuse(): never {
  throw noSuchKey();
}

/** Writes what differs onto the key and says what it was. */
function apply(key: ApiKey, input: UpdateKeyInput): Record<string, { from: unknown; to: unknown }> {
  const { name, tier, agents, skills, models, requestsPerMinute, expiresAt } = input;
  const wanted = { name, tier, agents, skills, models, requestsPerMinute, expiresAt };
  const diff: Record<string, { from: unknown; to: unknown }> = {};
  for (const field of Object.keys(wanted) as (keyof typeof wanted)[]) {
    const [from, to] = [key[field], wanted[field]];
    if (to === undefined || JSON.stringify(from) === JSON.stringify(to)) continue;
    diff[field] = { from, to };
    Object.assign(key, { [field]: to });
  }
  return diff;
}
