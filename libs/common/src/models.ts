/** The model families a caller can name, cheapest first, and the model that each name means today. */
export const MODEL_FAMILIES = ['haiku', 'sonnet', 'opus'] as const;
export type ModelFamily = (typeof MODEL_FAMILIES)[number];

export const CURRENT_MODELS: Record<ModelFamily, string> = {
  haiku: 'claude-haiku-5-5',
  sonnet: 'claude-sonnet-5-5',
  opus: 'claude-opus-5-5',
};

/** A full model id: `claude-sonnet-5-5`, `claude-3-5-haiku-20241022`. */
const MODEL_ID = /^claude(?:-[0-9]{1,2}){0,2}-(haiku|sonnet|opus)(?:-[0-9]{1,8}){0,4}(?:-latest)?$/;

/** The family of a family name or full id; undefined for anything else. */
export function modelFamily(name: string): ModelFamily | undefined {
  if ((MODEL_FAMILIES as readonly string[]).includes(name)) return name as ModelFamily;
  return MODEL_ID.exec(name)?.[1] as ModelFamily | undefined;
}
