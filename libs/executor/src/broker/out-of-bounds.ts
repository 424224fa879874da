import { z } from 'zod';

/** What leaves the machine by the model's API, or costs what the price of a token does not tell. */
const FIELDS = ['mcp_servers', 'container', 'speed', 'service_tier', 'inference_geo'];
/** Tools that the CLI itself works; the API's own ones search, fetch and compute out there. */
const OWN_TOOL = /^(custom$|tool_search_tool_)/;
const REMOTE_SOURCES = ['url', 'file'];

/** A document in a document in the result of a tool, and so much more. */
const DEEPEST = 4;

const tool = z.looseObject({ type: z.string().nullish() });
const block = z.looseObject({
  source: z.looseObject({ type: z.string(), content: z.unknown().optional() }).optional().catch(undefined),
  content: z.unknown().optional(),
});
const turn = z.looseObject({ content: z.unknown().optional() });

/**
 * Why a model call is none that a run may make: a box has no network, and must not get one through the model's
 * API. Undefined = nothing of the kind is in it.
 */
export function outOfBounds(request: Record<string, unknown>): string | undefined {
  const field = FIELDS.find((name) => request[name] !== undefined);
  if (field) return `no run may use ${field}`;
  const foreign = listOf(request.tools, tool).find(({ type }) => type != null && !OWN_TOOL.test(type));
  if (foreign) return 'no run may use tools of the model’s API';
  const contents = [request.system, ...listOf(request.messages, turn).map(({ content }) => content)];
  return contents.some((content) => namesRemote(content)) ? 'no run may name what lies elsewhere' : undefined;
}

/** Images and documents stand in turns, in results of tools, and in documents of several parts. */
function namesRemote(content: unknown, depth = 0): boolean {
  if (!Array.isArray(content)) return false;
  if (depth > DEEPEST) return true;
  return listOf(content, block).some(({ source, content: inner }) => {
    if (source && REMOTE_SOURCES.includes(source.type)) return true;
    return namesRemote(inner, depth + 1) || namesRemote(source?.content, depth + 1);
  });
}

function listOf<T>(value: unknown, type: z.ZodType<T>): T[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item) => {
    const parsed = type.safeParse(item);
    return parsed.success ? [parsed.data] : [];
  });
}
