const MOST_SECONDS = 600;
const PREFERENCE = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=[,;]|$)/i;

/** Seconds that the caller wants to wait for the end, 0 = not at all: `?wait=true`, or `Prefer: wait=30`. */
export function secondsToWait(wait: 'true' | 'false' | undefined, prefer: string | undefined): number {
  const [, preferred] = PREFERENCE.exec(prefer ?? '') ?? [];
  if (preferred !== undefined && wait !== 'false') return Math.min(Number(preferred), MOST_SECONDS);
  return wait === 'true' ? MOST_SECONDS : 0;
}
