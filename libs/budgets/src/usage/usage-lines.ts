/** What is added up. Each sum is null when nothing of it is known. */
export const SUMS = [
  'runs',
  'failed_runs',
  'unknown_cost_runs',
  'calls',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'billed_nano',
  'notional_nano',
] as const;

export const SUM_COLUMNS = SUMS.join(', ');

/** Over lines or over sums of them. */
export const ADDED_UP = SUMS.map((name) => `sum(${name})::bigint AS ${name}`).join(', ');

/**
 * To be put behind `runs r`, which must have ended: one line for the run itself, at the model that it was started
 * with, and one for each model that it used. A run of known cost has used nothing that is not known.
 */
export const LINES_OF_RUN = `CROSS JOIN LATERAL (
  SELECT r.model, 1 AS runs, (r.outcome <> 'succeeded')::int AS failed_runs,
         (r.cost_nano IS NULL)::int AS unknown_cost_runs, 0 AS calls, r.cost_nano * 0 AS input_tokens,
         r.cost_nano * 0 AS output_tokens, r.cost_nano * 0 AS cache_read_tokens,
         r.cost_nano * 0 AS cache_write_5m_tokens, r.cost_nano * 0 AS cache_write_1h_tokens,
         CASE r.cost_kind WHEN 'billed' THEN r.cost_nano * 0 END AS billed_nano,
         CASE r.cost_kind WHEN 'notional' THEN r.cost_nano * 0 END AS notional_nano
  UNION ALL
  SELECT u.model, 0, 0, 0, u.calls, u.input_tokens, u.output_tokens, u.cache_read_tokens, u.cache_write_5m_tokens,
         u.cache_write_1h_tokens, CASE r.cost_kind WHEN 'billed' THEN u.cost_nano END,
         CASE r.cost_kind WHEN 'notional' THEN u.cost_nano END
    FROM run_usage u WHERE u.run_id = r.id
) line`;

/** Runs that ended between two moments of their start and are in the rollups: the sums of these are what those say. */
export const ROLLED_UP = `runs r ${LINES_OF_RUN}
  WHERE r.outcome IS NOT NULL AND r.started_at >= $1 AND r.started_at < $2
    AND NOT EXISTS (SELECT FROM usage_pending p
                     WHERE p.hour = date_trunc('hour', r.started_at, 'UTC') AND p.run_id = r.id)`;
