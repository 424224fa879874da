/** A kind that nobody new asked for in this time is not kept ready any more. */
const REMEMBERED_MS = 10 * 60_000;
/** What came in this time may come again at once. */
const BURST_MS = 30_000;
const CLAIMS_PER_SPARE = 4;

/** How many processes of each kind should wait for whoever comes next, told from who came in the last minutes. */
export class PoolDemand {
  private readonly claims = new Map<string, number[]>();

  /** `most`: spares of one kind, however many ask. */
  constructor(private readonly most: number) {}

  /** Somebody needed a process that had served nobody. */
  note(fingerprint: string, now: number): void {
    const recent = this.claims.get(fingerprint) ?? [];
    this.claims.set(fingerprint, [...recent.filter((at) => at > now - BURST_MS), now].slice(-this.enough));
  }

  wanted(fingerprint: string, now: number): number {
    const recent = this.claims.get(fingerprint) ?? [];
    const last = recent.at(-1);
    if (last === undefined || last < now - REMEMBERED_MS) {
      this.claims.delete(fingerprint);
      return 0;
    }
    const burst = recent.filter((at) => at > now - BURST_MS).length;
    return Math.min(this.most, 1 + Math.floor(burst / CLAIMS_PER_SPARE));
  }

  private get enough(): number {
    return this.most * CLAIMS_PER_SPARE;
  }
}
