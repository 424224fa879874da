/** What a tool’s argument is called that tells most. */
const TELLING = ['command', 'file_path', 'pattern', 'query', 'url', 'path', 'description', 'prompt'];

/**
 * What a call is about, in one line.
 * @param {unknown} value
 */
export function brief(value) {
  const fields = typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : new Map();
  const name = TELLING.find((each) => fields.has(each)) ?? [...fields.keys()][0];
  const told = name === undefined ? value : fields.get(name);
  return pretty(told).slice(0, 300).replaceAll(/\s+/g, ' ');
}

/** @param {unknown} value */
export const pretty = (value) => (typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? ''));

/** @param {number} ms */
export function duration(ms) {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} min`;
}

/**
 * To two significant digits: a completion may cost a hundredth of a cent.
 * @param {number | null | undefined} usd
 */
export function money(usd) {
  if (usd == null) return '';
  if (usd >= 0.01 || usd === 0) return `$${usd.toFixed(2)}`;
  return `$${usd.toFixed(Math.min(9, 1 - Math.floor(Math.log10(usd))))}`;
}

/** @param {number} count */
export const size = (count) =>
  count < 1024
    ? `${count} B`
    : count < 1024 ** 2
      ? `${(count / 1024).toFixed(1)} KiB`
      : `${(count / 1024 ** 2).toFixed(1)} MiB`;
