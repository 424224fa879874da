/**
 * One text for one value, whatever the order of its keys (RFC 8785): what is hashed today can be hashed again
 * from the database's jsonb. Takes what JSON can say; undefined properties are left out.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
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
  for (const key of Object.keys(object).sort()) {
    // by UTF-16 code units, as the RFC wants
    const item = object[key];
    if (item === undefined) continue;
    members += `${members && ','}${JSON.stringify(key)}:${canonicalJson(item)}`;
  }
  return `{${members}}`;
}
