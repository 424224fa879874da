const MINUTE_MS = 60_000;

/** `8.2 s`, `2 min 05 s`. */
export function seconds(ms: number): string {
  if (ms < MINUTE_MS) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.floor(ms / 1000);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** Exactly. */
export const dollars = (usd: number | null): string => (usd === null ? 'cost not known' : `$${usd}`);

/** `5.2 KB`. */
export function bytes(count: number): string {
  if (count < 1000) return `${count} bytes`;
  return count < 1_000_000 ? `${(count / 1000).toFixed(1)} KB` : `${(count / 1_000_000).toFixed(1)} MB`;
}
