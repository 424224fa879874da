// Pure: the window of a period that a moment lies in, in a time zone. Weeks begin on Monday. Days are as long as
// they are there. Where clocks go back over midnight the hour that comes twice belongs whole to one day: the
// first time it comes it is still the day before.
export const BUDGET_WINDOW_AT = `
  CREATE FUNCTION budget_window_at(
    p_period text, p_time_zone text, p_at timestamptz, OUT starts_at timestamptz, OUT ends_at timestamptz
  ) LANGUAGE plpgsql IMMUTABLE AS $$
  DECLARE
    first_day timestamp;
  BEGIN
    IF p_period = 'total' THEN
      starts_at := '-infinity'; ends_at := 'infinity';
      RETURN;
    END IF;
    first_day := date_trunc(p_period, p_at AT TIME ZONE p_time_zone);
    starts_at := first_day AT TIME ZONE p_time_zone;
    IF p_at < starts_at THEN
      ends_at := starts_at;
      starts_at := (first_day - ('1 ' || p_period)::interval) AT TIME ZONE p_time_zone;
    ELSE
      ends_at := (first_day + ('1 ' || p_period)::interval) AT TIME ZONE p_time_zone;
    END IF;
  END $$`;

// What a caller is told, and what is remembered: `free` is what would be left if every open hold came back.
// Amounts are text: JSON numbers are not exact above 2^53.
export const BUDGET_REFUSAL = `
  CREATE FUNCTION budget_refusal(b budgets, w budget_windows) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
      'budget', b.id, 'unit', b.unit, 'limit', (least(b.limit_n, w.limit_n) + w.granted_n)::text,
      'remaining', greatest(0, least(b.limit_n, w.limit_n) + w.granted_n - w.held_n - w.settled_n - w.overrun_n)::text,
      'free', greatest(0, least(b.limit_n, w.limit_n) + w.granted_n - w.settled_n - w.overrun_n)::text,
      'resets_at', nullif(w.ends_at, 'infinity'))
  $$`;

// The window of this moment, locked until the transaction ends.
export const OPEN_BUDGET_WINDOW = `
  CREATE FUNCTION open_budget_window(b budgets, p_at timestamptz) RETURNS budget_windows LANGUAGE plpgsql AS $$
  DECLARE
    span record;
    w budget_windows;
  BEGIN
    span := budget_window_at(b.period, b.time_zone, p_at);
    LOOP
      SELECT * INTO w FROM budget_windows WHERE budget_id = b.id AND starts_at = span.starts_at FOR NO KEY UPDATE;
      IF FOUND THEN RETURN w; END IF;
      INSERT INTO budget_windows (budget_id, starts_at, ends_at, limit_n)
        VALUES (b.id, span.starts_at, span.ends_at, b.limit_n) ON CONFLICT DO NOTHING;
    END LOOP;
  END $$`;

// GCRA: a bucket of one minute's requests that fills evenly. The row says when it will be full again. Steps are
// whole microseconds, rounded down, so that a full bucket holds exactly the minute's requests.
export const TAKE_RATE = `
  CREATE FUNCTION take_rate(p_key_id text, p_per_minute integer) RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    moment timestamptz := clock_timestamp();
    step_s double precision := floor(60000000.0 / p_per_minute) / 1000000;
    step interval := make_interval(secs => step_s);
    full_s double precision;
    taken boolean;
  BEGIN
    INSERT INTO rate_buckets AS b (key_id, full_at) VALUES (p_key_id, moment + step)
      ON CONFLICT (key_id) DO UPDATE SET full_at = greatest(b.full_at, moment) + step
        WHERE greatest(b.full_at, moment) + step <= moment + interval '1 minute'
      RETURNING extract(epoch FROM full_at - moment) INTO full_s;
    taken := FOUND;
    IF NOT taken THEN
      SELECT extract(epoch FROM full_at - moment) INTO full_s FROM rate_buckets WHERE key_id = p_key_id;
    END IF;
    RETURN jsonb_build_object(
      'taken', taken, 'limit', p_per_minute, 'reset_s', full_s,
      'remaining', greatest(0, floor((60 - full_s) / step_s + 0.000001)),
      'retry_after_s', CASE WHEN taken THEN 0 ELSE full_s + step_s - 60 END);
  END $$`;
