/**
 * One text for one value, whatever the order of its keys (RFC 8785): what is hashed today can be hashed again
 * from the database's jsonb. Takes what JSON can say; undefined properties are left out.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) {
    return `[${value.map((item) => canonicalJson(item === undefined ? null : item)).join(',')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    const members = entries
      .sort(([a], [b]) => (a < b ? -1 : 1)) // UTF-16 code units, as the RFC wants
      .map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`);
    return `{${members.join(',')}}`;
  }
  const text =
    Number.isNaN(value) || value === Infinity || value === -Infinity ? undefined : JSON.stringify(value);
  if (text === undefined) throw new TypeError(`JSON has no ${String(value)}`);
  return text;
}
