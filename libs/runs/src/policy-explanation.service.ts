import { Injectable } from '@nestjs/common';
import { type ApiKey, KeysService } from '@app/auth';
import { AppError, Clock, type KeyGrants, type Principal } from '@app/common';
import { type Catalogue, Ecosystem } from '@app/ecosystem';
import { type EffectivePolicy, type Refusal, Tiers } from '@app/permissions';
import { RunPolicy } from './run-policy.js';

/** Whose request it would be, a key's or that of a plain key of a tier, and what it would ask for. */
export interface PolicyQuestion {
  /** An id or a kid. */
  key?: string;
  tier?: string;
  tools?: string[];
  agents?: string[];
  skills?: string[];
  /** Left out = `auto`. */
  model?: string;
  timeoutSeconds?: number;
  maxCostUsd?: number;
}

export interface PolicyAnswer {
  allowed: boolean;
  policy: EffectivePolicy;
  refusals: Refusal[];
  /** What is not as it looks: grants that name nothing, rights that a file asks for and does not get. */
  notes: string[];
}

interface Subject {
  tier: string;
  grants: KeyGrants;
  refusals: Refusal[];
}

const PLAIN_GRANTS: KeyGrants = { agents: [], skills: [], models: null, requestsPerMinute: null };

/** Says what a task would get, by the same rules that decide it, without starting anything. */
@Injectable()
export class PolicyExplanation {
  constructor(
    private readonly policy: RunPolicy,
    private readonly keys: KeysService,
    private readonly tiers: Tiers,
    private readonly ecosystem: Ecosystem,
    private readonly clock: Clock,
  ) {}

  /** Throws `invalid_request` like the task would, and `not_found` for a key out of the caller's reach. */
  async explain(principal: Principal, question: PolicyQuestion): Promise<PolicyAnswer> {
    const { tier, grants, refusals } = await this.subjectOf(principal, question);
    const { model = 'auto', timeoutSeconds, maxCostUsd, tools, agents, skills } = question;
    const request = {
      kind: 'task',
      model,
      timeoutSeconds,
      maxCostUsd,
      agentic: { tools, agents, skills },
    } as const;
    const rights = await this.policy.for({ tier, grants }, request);
    const all = [...refusals, ...rights.refusals];
    const notes = notesOn(rights.policy, grants, await this.ecosystem.catalogue());
    return { allowed: all.length === 0, policy: rights.policy, refusals: all, notes };
  }

  private async subjectOf(principal: Principal, { key: ref, tier }: PolicyQuestion): Promise<Subject> {
    if ((ref === undefined) === (tier === undefined)) {
      throw new AppError('invalid_request', 'name a key or a tier, and only one of them', { param: 'key' });
    }
    if (ref !== undefined) {
      const key = await this.keys.show(principal, ref);
      return { tier: key.tier, grants: key.grants, refusals: this.refusalsOf(key) };
    }
    await this.tiers.require(tier!);
    return { tier: tier!, grants: PLAIN_GRANTS, refusals: [] };
  }

  /** Why this key could not ask at all. */
  private refusalsOf({ id, kind, status, expiresAt, home }: ApiKey): Refusal[] {
    const refusal = (message: string) => ({ item: `key:${id}`, rule: 'key', message });
    return [
      ...(kind === 'admin' ? [refusal('an administration key cannot run a task')] : []),
      ...(status === 'revoked' ? [refusal('the key is revoked')] : []),
      ...(home.disabledAt ? [refusal('the project of the key is disabled')] : []),
      ...(expiresAt && expiresAt <= this.clock.now() ? [refusal('the key has expired')] : []),
    ];
  }
}

function notesOn(policy: EffectivePolicy, grants: KeyGrants, { agents, skills }: Catalogue): string[] {
  return [
    ...idleGrants('agent', grants.agents, agents),
    ...idleGrants('skill', grants.skills, skills),
    ...strippedRights('agent', policy.agents, agents),
    ...strippedRights('skill', policy.skills, skills),
  ];
}

function idleGrants(kind: string, granted: string[], known: ReadonlyMap<string, unknown>): string[] {
  return granted
    .filter((name) => !known.has(name))
    .map((name) => `the key is granted the ${kind} ${name}, and there is none of that name`);
}

function strippedRights(kind: string, names: string[], known: Catalogue['agents' | 'skills']): string[] {
  return names.flatMap((name) => {
    const asks = known.get(name)?.stripped ?? [];
    return asks.length > 0 ? [`the ${kind} ${name} asks for what it does not get: ${asks.join(', ')}`] : [];
  });
}
