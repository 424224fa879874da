import { z } from 'zod';
import type { Sampling } from '../run-spec.js';

/** The part of a Messages API request that the broker reads; everything else passes through untouched. */
export const messagesRequest = z.looseObject({
  model: z.string(),
  max_tokens: z.number().int().positive(),
  stream: z.boolean().optional(),
});
export type MessagesRequest = z.infer<typeof messagesRequest>;

/**
 * The request as the model's API shall see it: `max_tokens` as authorised, sampling as the caller asked.
 *
 * A sampled or length-limited request carries no `thinking`: the API refuses temperature beside it, and
 * `max_tokens` would be spent on thoughts that the caller never sees. `context_management` edits that clear
 * thinking go with it, because the API refuses them alone.
 */
export function upstreamBody(
  request: MessagesRequest,
  sampling: Sampling,
  maxTokens: number,
): MessagesRequest {
  const body: MessagesRequest = { ...request, max_tokens: maxTokens };
  if (sampling.stop) body.stop_sequences = sampling.stop;
  if (sampling.temperature !== undefined) {
    body.temperature = sampling.temperature;
    delete body.top_p;
  }
  if (sampling.topP !== undefined) {
    body.top_p = sampling.topP;
    delete body.temperature;
  }
  const steered =
    sampling.temperature !== undefined || sampling.topP !== undefined || sampling.maxTokens !== undefined;
  return steered ? withoutThinking(body) : body;
}

const contextManagement = z.looseObject({ edits: z.array(z.looseObject({ type: z.string() })) });

function withoutThinking(body: MessagesRequest): MessagesRequest {
  delete body.thinking;
  const management = contextManagement.safeParse(body.context_management);
  if (management.success) {
    const edits = management.data.edits.filter((edit) => !edit.type.startsWith('clear_thinking'));
    if (edits.length > 0) body.context_management = { ...management.data, edits };
    else delete body.context_management;
  }
  return body;
}
