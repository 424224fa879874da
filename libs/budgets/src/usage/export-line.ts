import { csvRow } from '@app/common';
import { nanoToUsd } from '../money.js';
import type { UsageLine } from './usage-export.repository.js';

const COLUMNS = [
  ...['run_id', 'started_at', 'ended_at', 'project', 'key_id', 'kind', 'request_id', 'outcome', 'error_code'],
  ...['model', 'calls', 'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_5m_tokens'],
  ...['cache_write_1h_tokens', 'cost_usd', 'cost_kind', 'price_version'],
] as (keyof UsageLine | 'cost_usd')[];

export const CSV_HEAD = csvRow(COLUMNS);

/** What is not known is an empty cell. Money with all of its nine decimals. */
export function csvLine({ cost_nano, ...line }: UsageLine): string {
  const row = { ...line, cost_usd: cost_nano === null ? null : decimalUsd(BigInt(cost_nano)) };
  return csvRow(COLUMNS.map((name) => String(row[name as keyof typeof row] ?? '')));
}

/** What is not known is null. */
export function jsonLine({ cost_nano, price_version, cost_kind, ...line }: UsageLine): string {
  const counts = Object.entries(line).map(([name, value]) => [
    name,
    name.endsWith('_tokens') && value !== null ? Number(value) : value,
  ]);
  const cost = cost_nano === null ? null : nanoToUsd(BigInt(cost_nano));
  return `${JSON.stringify({ ...Object.fromEntries(counts), cost_usd: cost, cost_kind, price_version })}\n`;
}

function decimalUsd(nano: bigint): string {
  const digits = nano.toString().padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}
