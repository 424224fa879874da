/** Samples in milliseconds, reduced to what a benchmark reports. */
export function percentiles(samples: readonly number[]) {
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return {
    samples: sorted.length,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    p999: at(0.999),
    max: sorted.at(-1)!,
  };
}

export type Percentiles = ReturnType<typeof percentiles>;

/** One line per row, in microseconds. */
export function table(rows: Record<string, Percentiles>): string {
  const us = (ms: number) => `${(ms * 1000).toFixed(1)} µs`.padStart(12);
  const lines = Object.entries(rows).map(
    ([name, { p50, p99, p999, samples }]) =>
      `${name.padEnd(34)}${us(p50)}${us(p99)}${us(p999)}${String(samples).padStart(10)}`,
  );
  return [
    `${''.padEnd(34)}${'p50'.padStart(12)}${'p99'.padStart(12)}${'p99.9'.padStart(12)}${'samples'.padStart(10)}`,
    ...lines,
  ].join('\n');
}
