/**
 * Every error a caller can see: code -> HTTP status and envelope type (api.md, Errors). One table, one filter.
 * What only a finished task can have (from `worker_lost` to `model_refused`) is told in its `error`.
 */
export const ERROR_TABLE = {
  invalid_json: { status: 400, type: 'invalid_request_error' },
  invalid_request: { status: 400, type: 'invalid_request_error' },
  invalid_api_key: { status: 401, type: 'authentication_error' },
  budget_exceeded: { status: 402, type: 'budget_exceeded_error' },
  permission_denied: { status: 403, type: 'permission_error' },
  not_found: { status: 404, type: 'not_found_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  request_timeout: { status: 408, type: 'invalid_request_error' },
  conflict: { status: 409, type: 'conflict_error' },
  idempotency_in_flight: { status: 409, type: 'conflict_error' },
  request_too_large: { status: 413, type: 'request_too_large' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  idempotency_mismatch: { status: 422, type: 'idempotency_error' },
  concurrency_limited: { status: 429, type: 'rate_limit_error' },
  rate_limited: { status: 429, type: 'rate_limit_error' },
  upgrade_required: { status: 426, type: 'invalid_request_error' },
  headers_too_large: { status: 431, type: 'request_too_large' },
  cancelled: { status: 499, type: 'invalid_request_error' },
  internal_error: { status: 500, type: 'api_error' },
  worker_lost: { status: 502, type: 'upstream_error' },
  workspace_full: { status: 422, type: 'invalid_request_error' },
  out_of_memory: { status: 422, type: 'invalid_request_error' },
  max_turns: { status: 422, type: 'invalid_request_error' },
  output_schema_failed: { status: 422, type: 'invalid_request_error' },
  model_refused: { status: 422, type: 'invalid_request_error' },
  cli_crashed: { status: 502, type: 'upstream_error' },
  upstream_error: { status: 502, type: 'upstream_error' },
  overloaded: { status: 503, type: 'overloaded_error' },
  queue_full: { status: 503, type: 'overloaded_error' },
  upstream_overloaded: { status: 503, type: 'overloaded_error' },
  shutting_down: { status: 503, type: 'unavailable_error' },
  database_unavailable: { status: 503, type: 'unavailable_error' },
  sandbox_unavailable: { status: 503, type: 'unavailable_error' },
  credential_unavailable: { status: 503, type: 'unavailable_error' },
  deadline_exceeded: { status: 504, type: 'timeout_error' },
} as const satisfies Record<string, { status: number; type: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;
