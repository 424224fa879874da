/** All money is whole nano-dollars (1 USD = 1e9), so that sums are exact. */
const NANO_PER_USD = 1_000_000_000;

export function usdToNano(usd: number): bigint {
  return BigInt(Math.round(usd * NANO_PER_USD));
}

/** For answers: a USD number. Exact up to nine decimals. */
export function nanoToUsd(nano: bigint): number {
  return Number(nano) / NANO_PER_USD;
}
