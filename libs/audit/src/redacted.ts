/** Our keys and Anthropic's, wherever they stand in a text. */
const SECRETS = /cc_(sk|ak)_\w+|sk-ant-[\w-]+/g;
/** NUL, and one half of a character that needs two. */
const UNSTORABLE = /[\0\p{Surrogate}]/gu;

/**
 * The same value without secrets, and as Postgres' jsonb can hold it: no NUL, no half characters, big
 * integers as text. The last line of defence: nobody should hand a secret to the audit in the first place.
 */
export function redacted<T>(value: T): T {
  return clean(value) as T;
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.replace(UNSTORABLE, '\uFFFD').replace(SECRETS, '[redacted]');
  }
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [clean(key), clean(item)]));
  }
  return value;
}
