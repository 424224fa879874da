import { appendFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';

/** What the issue asks for, beside what was measured. */
export interface Bar {
  what: string;
  measured: number;
  least?: number;
  most?: number;
  aim?: number;
  met: boolean;
}

/** How much of the full length a benchmark takes, so that it can be tried in little time. */
export const scaled = (count: number, least = 1): number =>
  Math.max(least, Math.round(count * Number(process.env.BENCH_SCALE ?? 1)));

export function bar(
  what: string,
  measured: number,
  limits: { least?: number; most?: number; aim?: number },
): Bar {
  const { least = -Infinity, most = Infinity } = limits;
  return { what, measured, ...limits, met: measured >= least && measured <= most };
}

export const missed = (bars: Bar[]): string[] => bars.filter(({ met }) => !met).map(({ what }) => what);

/** One line of JSON for whoever reads along; under `npm run bench` without a pattern, also for its table. */
export function report(result: { bench: string } & Record<string, unknown>): void {
  const line = JSON.stringify({ ...result, cores: availableParallelism(), load: loadavg()[0] }, rounded);
  process.stdout.write(`\n${line}\n`);
  if (process.env.BENCH_RESULTS) appendFileSync(process.env.BENCH_RESULTS, `${line}\n`);
}

/** Three digits behind the point are more than any of these measurements has. */
const rounded = (_: string, value: unknown): unknown =>
  typeof value === 'number' ? Math.round(value * 1000) / 1000 : value;
