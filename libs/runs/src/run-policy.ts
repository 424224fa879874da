import { Injectable } from '@nestjs/common';
import { CURRENT_MODELS, type ModelFamily, modelFamily, type Principal } from '@app/common';
import { type AgentEntry, type Catalogue, Ecosystem, TOOLS } from '@app/ecosystem';
import type { AgenticSpec, AgentSpec } from '@app/executor';
import {
  type Available,
  type EffectivePolicy,
  effectivePolicy,
  NOTHING_AVAILABLE,
  type Refusal,
  type Tier,
  Tiers,
} from '@app/permissions';
import { checkAskedNames } from './asked-names.js';
import type { AgenticAsk, RunRequest } from './run.js';
import { type ThingKind, toolGate } from './tool-gate.js';

type Asker = Pick<Principal, 'tier' | 'grants'>;
type PolicyRequest = Pick<RunRequest, 'kind' | 'model' | 'timeoutSeconds' | 'maxCostUsd'> & {
  agentic?: Pick<AgenticAsk, 'tools' | 'agents' | 'skills' | 'outputSchema'>;
};

/** What a run gets. Refusals name each thing that was asked for and the rule that refused it. */
export interface RunRights {
  policy: EffectivePolicy;
  refusals: Refusal[];
  /** For a task: the same policy as the executor takes it. */
  agentic?: Pick<AgenticSpec, 'tools' | 'agents' | 'skills' | 'models' | 'decide'>;
}

/** May they: narrows tier, key and request to what a run may do, before anything is spent. */
@Injectable()
export class RunPolicy {
  constructor(
    private readonly tiers: Tiers,
    private readonly ecosystem: Ecosystem,
  ) {}

  /** Throws `invalid_request` when a task names what does not exist. */
  async for({ tier: name, grants }: Asker, request: PolicyRequest): Promise<RunRights> {
    const tier = this.tiers.get(name);
    const { model, timeoutSeconds, maxCostUsd } = request;
    const limits = { model, timeoutSeconds, maxCostUsd };
    if (request.kind === 'completion') return effectivePolicy(tier, grants, limits, NOTHING_AVAILABLE);

    const catalogue = await this.ecosystem.catalogue();
    const available = availableIn(catalogue);
    const { tools, agents, skills, outputSchema } = request.agentic ?? {};
    const usable = effectivePolicy(tier, grants, { model: 'auto' }, available).policy;
    checkAskedNames({ model, tools, agents, skills }, available, usable);
    const rights = effectivePolicy(tier, grants, { ...limits, tools, agents, skills }, available);
    const decide = toolGate({
      policy: rights.policy,
      hasOutputSchema: outputSchema !== undefined,
      refusalOf: (kind, thing) => refusalOf(tier, grants, available, kind, thing),
    });
    return { ...rights, agentic: { ...grantedOf(rights.policy, catalogue), decide } };
  }

  /** What a task of this key gets that asks for nothing, and the tier that says so. */
  async standing({ tier: name, grants }: Asker): Promise<{ tier: Tier; policy: EffectivePolicy }> {
    const tier = this.tiers.get(name);
    const available = availableIn(await this.ecosystem.catalogue());
    return { tier, policy: effectivePolicy(tier, grants, { model: 'auto' }, available).policy };
  }

  /** The families that `auto` may choose from. */
  modelsOf({ tier, grants }: Asker): ModelFamily[] {
    return effectivePolicy(this.tiers.get(tier), grants, { model: 'auto' }, NOTHING_AVAILABLE).policy.models;
  }
}

function availableIn({ agents, skills }: Catalogue): Available {
  return { tools: TOOLS, agents: [...agents.keys()], skills: [...skills.keys()] };
}

/** Asks for one thing alone, to learn which rule keeps it out. */
function refusalOf(
  tier: Tier,
  grants: Principal['grants'],
  available: Available,
  kind: ThingKind,
  name: string,
): Refusal | undefined {
  const ask = { model: 'auto', tools: [], agents: [], skills: [], [`${kind}s`]: [name] };
  const { refusals } = effectivePolicy(tier, grants, ask, available);
  return refusals.find(({ item }) => item === `${kind}:${name}`);
}

function grantedOf(policy: EffectivePolicy, { agents, skills }: Catalogue) {
  return {
    tools: policy.tools,
    agents: policy.agents.map((name) => agentSpec(agents.get(name)!, policy)),
    skills: policy.skills.map((name) => ({ name, dir: skills.get(name)!.dir })),
    models: policy.models.map((family) => CURRENT_MODELS[family]),
  };
}

/** An agent never has a tool or a model that its run does not have. */
function agentSpec(
  { name, description, prompt, tools, withoutTools, model }: AgentEntry,
  policy: EffectivePolicy,
): AgentSpec {
  const family = model === undefined ? undefined : modelFamily(model);
  return {
    name,
    description,
    prompt,
    tools: policy.tools.filter((tool) => (tools?.includes(tool) ?? true) && !withoutTools.includes(tool)),
    ...(family && policy.models.includes(family) ? { model: family } : {}),
  };
}
