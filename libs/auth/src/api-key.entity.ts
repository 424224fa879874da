import { ADMIN_SCOPES, INFERENCE_SCOPES, type KeyGrants, type Scope } from '@app/common';
import { Column, Entity, JoinColumn, ManyToOne, OneToMany, PrimaryColumn, type Relation } from 'typeorm';
import type { KeyKind } from './key-format.js';
import { Project } from './project.entity.js';

const SCOPES: Record<KeyKind, ReadonlySet<Scope>> = {
  inference: new Set(INFERENCE_SCOPES),
  admin: new Set(ADMIN_SCOPES),
};

/** A stable identity: budgets, usage and audit point here, while its secrets come and go. */
@Entity('api_keys')
export class ApiKey {
  @PrimaryColumn('text') id: string;
  @Column('text', { name: 'project_id' }) project: string;
  @ManyToOne(() => Project) @JoinColumn({ name: 'project_id' }) home: Relation<Project>;
  @Column('text') name: string;
  @Column('text') tier: string;
  @Column('text') kind: KeyKind;
  @Column('text', { array: true }) agents: string[];
  @Column('text', { array: true }) skills: string[];
  @Column('text', { array: true, nullable: true }) models: string[] | null;
  @Column('integer', { name: 'requests_per_minute', nullable: true }) requestsPerMinute: number | null;
  @Column('text') status: 'active' | 'revoked';
  /** +1 with every change; a run is admitted only with the current one. Only `KeysRepository.stamp` moves it. */
  @Column({ type: 'integer', insert: false, update: false }) epoch: number;
  /** The installation's change that gave it this epoch; moves with it. */
  @Column({ type: 'bigint', insert: false, update: false }) revision: string;
  @Column('timestamptz', { name: 'expires_at', nullable: true }) expiresAt: Date | null;
  @Column('text', { name: 'created_by' }) createdBy: string;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column({ type: 'timestamptz', name: 'last_used_at', nullable: true, update: false })
  lastUsedAt: Date | null;
  @Column('timestamptz', { name: 'revoked_at', nullable: true }) revokedAt: Date | null;
  @OneToMany(() => ApiKeySecret, (secret) => secret.apiKey) secrets: Relation<ApiKeySecret[]>;

  get scopes(): ReadonlySet<Scope> {
    return SCOPES[this.kind];
  }

  get grants(): KeyGrants {
    const { agents, skills, models, requestsPerMinute } = this;
    return { agents, skills, models, requestsPerMinute };
  }

  /** When it stops to work, in milliseconds since 1970; -Infinity when it has, or when its project is disabled. */
  get liveUntil(): number {
    if (this.status === 'revoked' || this.home.disabledAt !== null) return -Infinity;
    return this.expiresAt?.getTime() ?? Infinity;
  }

  /** The secret that was given out last; an older one may live beside it for a while. */
  get currentSecret(): ApiKeySecret {
    const current = this.secrets.find((secret) => secret.notAfter === null);
    if (!current) throw new Error(`${this.id} has no current secret`);
    return current;
  }
}

/** One secret of a key: never the secret itself, only what can recognise it. */
@Entity('api_key_secrets')
export class ApiKeySecret {
  @PrimaryColumn('text') kid: string;
  @Column('text', { name: 'key_id' }) keyId: string;
  @ManyToOne(() => ApiKey, (key) => key.secrets) @JoinColumn({ name: 'key_id' }) apiKey: Relation<ApiKey>;
  @Column('bytea') digest: Buffer;
  @Column('text') last4: string;
  /** Null = the current secret. */
  @Column('timestamptz', { name: 'not_after', nullable: true }) notAfter: Date | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
}
