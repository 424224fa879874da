/** NUL, and one half of a character that needs two. */
const UNSTORABLE = /[\0\p{Surrogate}]/gu;
const DEEPEST = 32;

/**
 * The same value as Postgres' jsonb can hold it, whatever a model or tool wrote: no NUL, no half characters, no
 * string over `longest` (its end says how much is missing), nothing nested over 32 deep.
 */
export function storable<T>(value: T, longest = Infinity): T {
  return clean(value, longest, 0) as T;
}

function clean(value: unknown, longest: number, depth: number): unknown {
  if (typeof value === 'string') return clipped(value, longest).replace(UNSTORABLE, '\uFFFD');
  if (typeof value !== 'object' || value === null) return value;
  if (depth === DEEPEST) return '[nested too deep]';
  if (Array.isArray(value)) return value.map((item) => clean(item, longest, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      clean(key, longest, DEEPEST),
      clean(item, longest, depth + 1),
    ]),
  );
}

export function clipped(text: string, longest: number): string {
  if (text.length <= longest) return text;
  return `${text.slice(0, longest)}… [${text.length - longest} characters more]`;
}
