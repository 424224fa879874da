import { timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Clock, type Principal } from '@app/common';
import { LRUCache } from 'lru-cache';
import type { ApiKey, ApiKeySecret } from './api-key.entity.js';
import { InvalidKey } from './auth.errors.js';
import { KeyChanges } from './key-changes.js';
import { KeySecrets } from './key-secrets.js';
import { KeysRepository } from './keys.repository.js';
import { LastUsed } from './last-used.js';
import { principalOf } from './principal-of.js';
import { ShownKey } from './shown-key.js';

const CACHED_KEYS = 120_000;
const REFRESH_AFTER_MS = 30_000;
const EXPIRES_AFTER_MS = 120_000;
/** How old an answer may be while nobody can tell whether its key has changed. */
const EXPIRES_UNWATCHED_AFTER_MS = 3_000;
const UNKNOWN_FOR_MS = 5_000;
const UNKNOWN_KEYS = 10_000;

/** All there is to know about one secret, worked out when it was read. */
interface Verdict {
  principal: Principal;
  digest: Buffer;
  /** Milliseconds since the epoch; -Infinity for a revoked key. */
  liveUntil: number;
  /** When reading began, on the monotonic clock. */
  readAt: number;
}

/**
 * Turns a presented key into its Principal, without a query when the key was seen lately. A change of the
 * key holds from the moment `KeyChanges` tells of it; expiry is checked on every call. Every key that does
 * not work gets the same answer, and a database that cannot be asked is never the key's fault (503).
 */
@Injectable()
export class KeyVerifier {
  /** By kid. */
  private readonly verdicts = new LRUCache<string, Verdict>({ max: CACHED_KEYS });
  private readonly unknown: LRUCache<string, true>;
  private readonly reading = new Map<string, Promise<Verdict | undefined>>();
  /** When each key changed last, oldest first; kept for as long as an older verdict could be cached. */
  private readonly changedAt = new Map<string, number>();

  constructor(
    private readonly keys: KeysRepository,
    private readonly secrets: KeySecrets,
    private readonly changes: KeyChanges,
    private readonly lastUsed: LastUsed,
    private readonly clock: Clock,
  ) {
    const perf = { now: () => clock.monotonicMs() };
    this.unknown = new LRUCache({ max: UNKNOWN_KEYS, ttl: UNKNOWN_FOR_MS, ttlResolution: 0, perf });
    changes.onChange(({ keyId }) => this.forget(keyId));
  }

  /** Undefined for what cannot be a key. Nothing is hashed or asked yet. */
  shown(presented: string): ShownKey | undefined {
    return ShownKey.of(presented, this.secrets);
  }

  /** Whether this key worked here lately. Asks nobody, and hashes nothing of a kid that never worked here. */
  knows(key: ShownKey): boolean {
    const verdict = this.verdicts.get(key.kid);
    if (!verdict || verdict.liveUntil <= this.clock.now().getTime()) return false;
    return timingSafeEqual(verdict.digest, key.digest);
  }

  async verify(presented: string): Promise<Principal> {
    const key = this.shown(presented);
    if (!key) throw new InvalidKey('malformed');
    return this.verifyShown(key);
  }

  async verifyShown(key: ShownKey): Promise<Principal> {
    const verdict = this.cached(key) ?? (await this.read(key));
    if (!verdict || !timingSafeEqual(verdict.digest, key.digest)) throw new InvalidKey('unknown');
    const { liveUntil } = verdict;
    if (liveUntil <= this.clock.now().getTime())
      throw new InvalidKey(liveUntil === -Infinity ? 'revoked' : 'expired');
    this.lastUsed.touch(verdict.principal.keyId);
    return verdict.principal;
  }

  /** Of a key that was just read. It is never newer here than its tier. */
  async principalOf(key: ApiKey): Promise<Principal> {
    await this.changes.upTo(key.revision);
    return principalOf(key);
  }

  private cached(key: ShownKey): Verdict | undefined {
    const verdict = this.verdicts.get(key.kid);
    if (!verdict) return undefined;
    // A kid has one secret for good: to ask again would change nothing.
    if (!timingSafeEqual(verdict.digest, key.digest)) return verdict;
    const age = this.clock.monotonicMs() - verdict.readAt;
    if (age > (this.changes.current ? EXPIRES_AFTER_MS : EXPIRES_UNWATCHED_AFTER_MS)) return undefined;
    // Also drops what was read from before the change but cached after it.
    if (verdict.readAt <= (this.changedAt.get(verdict.principal.keyId) ?? -Infinity)) return undefined;
    if (age > REFRESH_AFTER_MS) void this.read(key).catch(() => undefined);
    return verdict;
  }

  /** One query for all callers that wait for the same secret. */
  private read(key: ShownKey): Promise<Verdict | undefined> {
    const id = key.digest.toString('base64');
    if (this.unknown.has(id)) return Promise.resolve(undefined);
    const running = this.reading.get(id);
    if (running) return running;
    const read = this.readFromDatabase(key, id).finally(() => {
      if (this.reading.get(id) === read) this.reading.delete(id);
    });
    this.reading.set(id, read);
    return read;
  }

  private async readFromDatabase({ kid, digest }: ShownKey, id: string): Promise<Verdict | undefined> {
    const readAt = this.clock.monotonicMs();
    const secret = await this.keys.secretWithKey(kid);
    if (!secret) this.verdicts.delete(kid);
    if (!secret || !timingSafeEqual(secret.digest, digest)) {
      this.unknown.set(id, true);
      return undefined;
    }
    const verdict = {
      principal: await this.principalOf(secret.apiKey),
      digest: secret.digest,
      liveUntil: endOf(secret),
      readAt,
    };
    this.verdicts.set(kid, verdict);
    return verdict;
  }

  private forget(keyId: string): void {
    const now = this.clock.monotonicMs();
    this.changedAt.delete(keyId);
    this.changedAt.set(keyId, now);
    for (const [key, at] of this.changedAt) {
      if (now - at <= EXPIRES_AFTER_MS) break;
      this.changedAt.delete(key);
    }
    // A read that is under way may have begun before the change: nobody new may wait for it.
    this.reading.clear();
  }
}

function endOf({ notAfter, apiKey }: ApiKeySecret): number {
  return Math.min(notAfter?.getTime() ?? Infinity, apiKey.liveUntil);
}
