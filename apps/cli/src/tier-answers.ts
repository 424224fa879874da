import { operatorPrincipal } from '@app/auth';
import type { Principal } from '@app/common';
import type { KnownTier, TierChanges } from '@app/permissions';
import { PolicyModule, TierAdministration, TierDto, TierHistoryDto, TierListDto } from '@app/runs';
import { withServices } from './services-session.js';
import { fields, table } from './table.js';
import type { Answer } from './verb.command.js';

type Work<T> = (tiers: TierAdministration, operator: Principal) => Promise<T>;

export async function allTiers(interactive: boolean): Promise<Answer> {
  const json = TierListDto.from(await withTiers((tiers) => tiers.list()));
  const head = [
    'tier',
    'tools',
    'agents',
    'skills',
    'timeout',
    'cost per run',
    'at once',
    'per minute',
    'version',
  ];
  const rows = json.data.map((tier) => [
    ...[tier.name, tier.tools === 'all' ? 'all' : tier.tools.join(' ')],
    ...[tier.agents, tier.skills, `${tier.max_timeout_seconds} s`, `$${tier.max_cost_usd}`],
    ...[tier.concurrent_runs, tier.requests_per_minute, tier.version],
  ]);
  return { json, text: table(head, rows, interactive) };
}

/** Throws `not_found` with the names that there are. */
export async function oneTier(name: string): Promise<Answer> {
  const json = TierHistoryDto.fromHistory(await withTiers((tiers) => tiers.show(name)));
  const { versions, ...tier } = json;
  const earlier = versions.slice(1).map(({ version }) => version);
  return { json, text: fields({ ...tier, earlier_versions: earlier }) };
}

export function changedTier(name: string, changes: TierChanges, from?: string): Promise<Answer> {
  return told(withTiers((tiers, operator) => tiers.set(operator, name, changes, from)));
}

export function resetTier(name: string): Promise<Answer> {
  return told(withTiers((tiers, operator) => tiers.reset(operator, name)));
}

export async function removedTier(name: string): Promise<Answer> {
  await withTiers((tiers, operator) => tiers.remove(operator, name));
  return { json: { name, removed: true }, text: `removed ${name}` };
}

async function told(changed: Promise<KnownTier>): Promise<Answer> {
  const json = TierDto.from(await changed);
  return { json, text: fields(json), note: 'in force for every key of the tier' };
}

function withTiers<T>(work: Work<T>): Promise<T> {
  return withServices([PolicyModule], (services) =>
    work(services.get(TierAdministration), operatorPrincipal()),
  );
}
