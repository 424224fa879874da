// One round trip: epoch, rate, concurrency, budgets, and then the run with its first hold, or nothing. The key's
// row is locked so that two admissions of one key count each other; windows are locked in the order of their
// budgets, and a rate that was taken is put back, so that a refusal leaves nothing behind. `p_first_*`: what the
// first model call takes at the least. No rate is taken when `p_requests_per_minute` is null: a task has paid it.
export const ADMIT_RUN = `
  CREATE FUNCTION admit_run(
    p_id text, p_project text, p_key_id text, p_epoch integer, p_concurrent_runs integer,
    p_requests_per_minute integer, p_first_nano bigint, p_first_tokens bigint, p_kind text, p_model text,
    p_request_id text, p_metadata jsonb, p_max_cost_nano bigint, p_cost_kind text, p_instance text,
    p_owner text, p_lease interval
  ) RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    current_epoch integer;
    moment timestamptz;
    rate jsonb;
    refusal jsonb;
    b budgets;
    w budget_windows;
    room bigint;
    ids text[] := '{}';
    starts timestamptz[] := '{}';
    remaining_nano bigint;
  BEGIN
    SELECT epoch INTO current_epoch FROM api_keys
      WHERE id = p_key_id AND status = 'active' AND (expires_at IS NULL OR expires_at > now())
      FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN '{"verdict": "key_ended"}'; END IF;
    IF current_epoch <> p_epoch THEN RETURN '{"verdict": "key_changed"}'; END IF;
    moment := clock_timestamp();
    IF p_requests_per_minute IS NOT NULL THEN
      rate := take_rate(p_key_id, p_requests_per_minute);
      IF NOT (rate->>'taken')::boolean THEN RETURN jsonb_build_object('verdict', 'rate', 'rate', rate); END IF;
    END IF;
    IF (SELECT count(*) FROM runs WHERE key_id = p_key_id AND outcome IS NULL AND lease_until > now())
       >= p_concurrent_runs THEN refusal := '{"verdict": "concurrency"}'; END IF;
    IF refusal IS NULL THEN
      FOR b IN SELECT * FROM budgets WHERE project = p_project AND (key_id = p_key_id OR key_id IS NULL)
                 AND enabled AND removed_at IS NULL ORDER BY id LOOP
        w := open_budget_window(b, moment);
        room := least(b.limit_n, w.limit_n) + w.granted_n - w.held_n - w.settled_n - w.overrun_n
                - CASE b.unit WHEN 'usd' THEN p_first_nano WHEN 'tokens' THEN p_first_tokens ELSE 1 END;
        IF room < 0 THEN
          refusal := jsonb_build_object('verdict', 'budget', 'refusal', budget_refusal(b, w));
          EXIT;
        END IF;
        ids := ids || b.id;
        starts := starts || w.starts_at;
        IF b.unit = 'usd' THEN remaining_nano := least(room, remaining_nano); END IF;
      END LOOP;
    END IF;
    IF refusal IS NOT NULL THEN
      IF rate IS NOT NULL THEN
        UPDATE rate_buckets
           SET full_at = full_at - make_interval(secs => floor(60000000.0 / p_requests_per_minute) / 1000000)
         WHERE key_id = p_key_id;
      END IF;
      RETURN refusal;
    END IF;
    IF cardinality(ids) > 0 THEN
      UPDATE budget_windows w2
         SET held_n = held_n + CASE b2.unit WHEN 'usd' THEN p_first_nano WHEN 'tokens' THEN p_first_tokens ELSE 1 END
        FROM unnest(ids, starts) AS h(budget_id, starts_at) JOIN budgets b2 ON b2.id = h.budget_id
       WHERE w2.budget_id = h.budget_id AND w2.starts_at = h.starts_at;
    END IF;
    INSERT INTO runs (id, project, key_id, kind, model, request_id, metadata, max_cost_nano, cost_kind, instance,
                      owner, lease_until, budget_ids, window_starts, held_nano, held_tokens)
      VALUES (p_id, p_project, p_key_id, p_kind, p_model, p_request_id, p_metadata, p_max_cost_nano, p_cost_kind,
              p_instance, p_owner, now() + p_lease, ids, starts,
              CASE WHEN cardinality(ids) > 0 THEN p_first_nano ELSE 0 END,
              CASE WHEN cardinality(ids) > 0 THEN p_first_tokens ELSE 0 END);
    RETURN jsonb_build_object('verdict', 'admitted', 'rate', rate, 'budgeted', cardinality(ids) > 0,
                              'remaining_nano', remaining_nano::text);
  END $$`;

// For work that waits before it runs: its rate is taken, and there has to be something left of every budget.
// Nothing is held.
export const CHECK_ALLOWANCE = `
  CREATE FUNCTION check_allowance(p_project text, p_key_id text, p_requests_per_minute integer)
  RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    rate jsonb;
    b budgets;
    w budget_windows;
    span record;
    room bigint;
    remaining_nano bigint;
  BEGIN
    FOR b IN SELECT * FROM budgets WHERE project = p_project AND (key_id = p_key_id OR key_id IS NULL)
               AND enabled AND removed_at IS NULL ORDER BY id LOOP
      span := budget_window_at(b.period, b.time_zone, clock_timestamp());
      SELECT * INTO w FROM budget_windows WHERE budget_id = b.id AND starts_at = span.starts_at;
      IF NOT FOUND THEN w := (b.id, span.starts_at, span.ends_at, b.limit_n, 0, 0, 0, 0); END IF;
      room := least(b.limit_n, w.limit_n) + w.granted_n - w.held_n - w.settled_n - w.overrun_n;
      -- What others hold now may come back until it is this one's turn.
      IF room + w.held_n <= 0 THEN
        RETURN jsonb_build_object('verdict', 'budget', 'refusal', budget_refusal(b, w));
      END IF;
      IF b.unit = 'usd' THEN remaining_nano := least(greatest(room, 0), remaining_nano); END IF;
    END LOOP;
    rate := take_rate(p_key_id, p_requests_per_minute);
    RETURN jsonb_build_object('verdict', CASE WHEN (rate->>'taken')::boolean THEN 'admitted' ELSE 'rate' END,
                              'rate', rate, 'remaining_nano', remaining_nano::text);
  END $$`;
