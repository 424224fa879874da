import { MODEL_FAMILIES, type ModelFamily } from '@app/common';
import { SIGNALS } from './model-routing-signals.js';

interface RoutingInput {
  prompt: string;
  system?: string;
  maxTokens?: number;
}

/** Characters that are looked at. What is asked stands first or last; between is mostly material. */
const HEAD = 4_000;
const TAIL = 2_000;
const SYSTEM_HEAD = 2_000;

/** The least sum of weights for each family; anything less goes to the smallest. */
const OPUS_FROM = 4;
const SONNET_FROM = -1;

/**
 * The model for `model: "auto"`, and why. Adds the weights of the signals that it sees, in constant time:
 * only the beginning and end of the prompt are read. When the choice is not in `allowed`, the nearest that is,
 * the cheaper of two. `allowed` must not be empty.
 */
export function routeModel(
  input: RoutingInput,
  allowed: readonly ModelFamily[],
): { family: ModelFamily; reasons: string[] } {
  const facts = { text: sample(input), length: input.prompt.length, maxTokens: input.maxTokens };
  const seen = SIGNALS.filter((signal) => signal.seen(facts));
  const score = seen.reduce((sum, { weight }) => sum + weight, 0);
  const wanted: ModelFamily = score >= OPUS_FROM ? 'opus' : score >= SONNET_FROM ? 'sonnet' : 'haiku';
  const reasons = seen.map(({ reason }) => reason);
  if (reasons.length === 0) reasons.push('nothing speaks for a smaller or larger model');
  const family = nearest(wanted, allowed);
  if (family !== wanted) reasons.push(`${wanted} is not allowed: ${family} is the nearest that is`);
  return { family, reasons };
}

function sample({ prompt, system = '' }: RoutingInput): string {
  const ends = prompt.length <= HEAD + TAIL ? prompt : `${prompt.slice(0, HEAD)}\n${prompt.slice(-TAIL)}`;
  return `${system.slice(0, SYSTEM_HEAD)}\n${ends}`;
}

function nearest(wanted: ModelFamily, allowed: readonly ModelFamily[]): ModelFamily {
  const distance = (family: ModelFamily) =>
    Math.abs(MODEL_FAMILIES.indexOf(family) - MODEL_FAMILIES.indexOf(wanted));
  const [first] = MODEL_FAMILIES.filter((family) => allowed.includes(family)).toSorted(
    (a, b) => distance(a) - distance(b),
  );
  if (!first) throw new Error('no model is allowed');
  return first;
}
