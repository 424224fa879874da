/** JSON says these as they are. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * One text for one value, whatever the order of its keys (RFC 8785): what is hashed today can be hashed again
 * from the database's jsonb. Takes what JSON can say; undefined properties are left out.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value);
  if (Array.isArray(value)) return canonicalArray(value);
  if (typeof value === 'object' && value !== null) return canonicalObject(value as Record<string, unknown>);
  const text =
    Number.isNaN(value) || value === Infinity || value === -Infinity ? undefined : JSON.stringify(value);
  if (text === undefined) throw new TypeError(`JSON has no ${String(value)}`);
  return text;
}

function canonicalArray(items: unknown[]): string {
  return `[${items.map((item) => canonicalJson(item === undefined ? null : item)).join(',')}]`;
}

// Loops and plain concatenation: a verification writes some ten million members.
function canonicalObject(object: Record<string, unknown>): string {
  let members = '';
  for (const key of sortedKeys(object)) {
    const item = object[key];
    if (item === undefined) continue;
    const member = PLAIN.test(key) ? `"${key}":` : `${JSON.stringify(key)}:`;
    members += `${members && ','}${member}${canonicalJson(item)}`;
  }
  return `{${members}}`;
}

/** By UTF-16 code units, as the RFC wants. */
function sortedKeys(object: Record<string, unknown>): string[] {
  const keys = Object.keys(object);
  for (let at = 1; at < keys.length; at++) if (keys[at - 1]! > keys[at]!) return keys.sort();
  return keys;
}
