const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

/** A kind whose processes do not start is tried again later, and later each time. */
export class StartBackoff {
  private readonly failures = new Map<string, { times: number; until: number }>();

  allows(fingerprint: string, now: number): boolean {
    return now >= (this.failures.get(fingerprint)?.until ?? 0);
  }

  failed(fingerprint: string, now: number): void {
    const times = (this.failures.get(fingerprint)?.times ?? 0) + 1;
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (times - 1));
    this.failures.set(fingerprint, { times, until: now + wait });
  }

  succeeded(fingerprint: string): void {
    this.failures.delete(fingerprint);
  }
}
