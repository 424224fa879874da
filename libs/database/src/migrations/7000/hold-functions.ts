// Before a model call: writes down what the run has used, and takes what the call needs, or what there still is
// of it. Totals, not differences: a try whose answer was lost is simply made again. A run that was ended
// elsewhere gets nothing. What is refused shrinks the hold and never raises it. A call takes what is left up to
// 4,096 tokens, and more only as a sixteenth of it: worst cases of calls at the same time must not starve the next.
export const EXTEND_RUN = `
  CREATE FUNCTION extend_run(
    p_id text, p_observed_nano bigint, p_observed_tokens bigint, p_open_nano bigint, p_open_tokens bigint,
    p_input_nano bigint, p_per_token_nano bigint, p_input_tokens bigint, p_most_tokens bigint,
    p_least_tokens bigint
  ) RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    r record;
    h record;
    room bigint;
    input bigint;
    per_token bigint;
    fit bigint := p_most_tokens;
    refusal jsonb;
    hold_nano bigint := p_observed_nano + p_open_nano;
    hold_tokens bigint := p_observed_tokens + p_open_tokens;
  BEGIN
    SELECT budget_ids, window_starts, held_nano, held_tokens INTO r
      FROM runs WHERE id = p_id AND outcome IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN '{"verdict": "ended"}'; END IF;
    FOR h IN SELECT b, w FROM unnest(r.budget_ids, r.window_starts) AS u(budget_id, starts_at)
               JOIN budget_windows w ON w.budget_id = u.budget_id AND w.starts_at = u.starts_at
               JOIN budgets b ON b.id = u.budget_id
              ORDER BY w.budget_id FOR NO KEY UPDATE OF w LOOP
      CONTINUE WHEN (h.b).unit = 'requests';
      room := least((h.b).limit_n, (h.w).limit_n) + (h.w).granted_n - (h.w).held_n - (h.w).settled_n - (h.w).overrun_n
              + CASE (h.b).unit WHEN 'usd' THEN r.held_nano - hold_nano ELSE r.held_tokens - hold_tokens END;
      input := CASE (h.b).unit WHEN 'usd' THEN p_input_nano ELSE p_input_tokens END;
      per_token := CASE (h.b).unit WHEN 'usd' THEN greatest(p_per_token_nano, 1) ELSE 1 END;
      room := greatest(div(room / 16 - input, per_token), least(div(room - input, per_token), 4096));
      IF room < fit THEN
        fit := room;
        refusal := budget_refusal(h.b, h.w);
      END IF;
    END LOOP;
    IF fit >= p_least_tokens THEN
      hold_nano := hold_nano + p_input_nano + fit * p_per_token_nano;
      hold_tokens := hold_tokens + p_input_tokens + fit;
      refusal := NULL;
    ELSIF cardinality(r.budget_ids) > 0 THEN
      hold_nano := least(hold_nano, r.held_nano);
      hold_tokens := least(hold_tokens, r.held_tokens);
    END IF;
    UPDATE budget_windows w
       SET held_n = held_n + CASE b.unit WHEN 'usd' THEN hold_nano - r.held_nano ELSE hold_tokens - r.held_tokens END
      FROM unnest(r.budget_ids, r.window_starts) AS u(budget_id, starts_at) JOIN budgets b ON b.id = u.budget_id
     WHERE w.budget_id = u.budget_id AND w.starts_at = u.starts_at AND b.unit <> 'requests';
    UPDATE runs SET held_nano = hold_nano, held_tokens = hold_tokens, observed_nano = p_observed_nano,
                    observed_tokens = p_observed_tokens,
                    authorised_calls = authorised_calls + CASE WHEN refusal IS NULL THEN 1 ELSE 0 END
     WHERE id = p_id;
    RETURN jsonb_build_object('verdict', CASE WHEN refusal IS NULL THEN 'extended' ELSE 'refused' END,
                              'max_tokens', fit, 'refusal', refusal);
  END $$`;

// A run's one end: outcome, usage, and what was held becomes what was used. Null for `p_used_*` = its process is
// gone: then what it had used and reserved is taken, and nothing when it never made a call. A budget's thresholds
// are reached once in a window, however many runs end at that moment.
export const END_RUN = `
  CREATE FUNCTION end_run(
    p_id text, p_outcome text, p_error_code text, p_finish_reason text, p_cost_nano bigint, p_cli_cost_nano bigint,
    p_overrun_nano bigint, p_timing jsonb, p_usage jsonb, p_used_nano bigint, p_used_tokens bigint
  ) RETURNS jsonb LANGUAGE plpgsql AS $$
  DECLARE
    r record;
    h record;
    own bigint;
    used bigint;
    used_nano bigint := p_used_nano;
    used_tokens bigint := p_used_tokens;
    overruns jsonb := '[]';
    alerts jsonb := '[]';
  BEGIN
    SELECT budget_ids, window_starts, held_nano, held_tokens, authorised_calls INTO r
      FROM runs WHERE id = p_id AND outcome IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN '{"ended": false}'; END IF;
    IF used_nano IS NULL AND r.authorised_calls > 0 THEN
      used_nano := r.held_nano;
      used_tokens := r.held_tokens;
    ELSIF used_nano IS NULL AND cardinality(r.budget_ids) > 0 THEN
      used_nano := 0;
      used_tokens := 0;
    END IF;
    UPDATE runs SET outcome = p_outcome, error_code = p_error_code, finish_reason = p_finish_reason,
                    cost_nano = p_cost_nano, cli_cost_nano = p_cli_cost_nano, overrun_nano = p_overrun_nano,
                    timing = p_timing, ended_at = now(), held_nano = 0, held_tokens = 0,
                    settled_nano = used_nano, settled_tokens = used_tokens
     WHERE id = p_id;
    IF jsonb_array_length(p_usage) > 0 THEN
      INSERT INTO run_usage SELECT p_id, row.* FROM jsonb_to_recordset(p_usage) AS row(
        model text, calls integer, input_tokens bigint, output_tokens bigint, cache_read_tokens bigint,
        cache_write_5m_tokens bigint, cache_write_1h_tokens bigint, cost_nano bigint, price_version text);
    END IF;
    FOR h IN SELECT b.id, b.unit, w.starts_at FROM unnest(r.budget_ids, r.window_starts) AS u(budget_id, starts_at)
               JOIN budget_windows w ON w.budget_id = u.budget_id AND w.starts_at = u.starts_at
               JOIN budgets b ON b.id = u.budget_id
              ORDER BY w.budget_id FOR NO KEY UPDATE OF w LOOP
      own := CASE h.unit WHEN 'usd' THEN r.held_nano WHEN 'tokens' THEN r.held_tokens ELSE 1 END;
      used := CASE h.unit WHEN 'usd' THEN used_nano WHEN 'tokens' THEN used_tokens ELSE 1 END;
      UPDATE budget_windows SET held_n = held_n - own, settled_n = settled_n + least(used, own),
                                overrun_n = overrun_n + greatest(used - own, 0)
       WHERE budget_id = h.id AND starts_at = h.starts_at;
      IF used > own THEN
        overruns := overruns || jsonb_build_object('budget', h.id, 'unit', h.unit, 'amount', (used - own)::text);
      END IF;
      WITH reached AS (
        INSERT INTO budget_alerts (budget_id, starts_at, pct)
          SELECT w.budget_id, w.starts_at, p.pct
            FROM budget_windows w, unnest('{50, 80, 95, 100}'::smallint[]) AS p(pct)
           WHERE w.budget_id = h.id AND w.starts_at = h.starts_at
             AND (w.settled_n + w.overrun_n)::numeric * 100 >= (w.limit_n + w.granted_n)::numeric * p.pct
        ON CONFLICT DO NOTHING RETURNING pct)
      SELECT alerts || coalesce(jsonb_agg(jsonb_build_object('budget', h.id, 'unit', h.unit, 'pct', pct) ORDER BY pct), '[]')
        INTO alerts FROM reached;
    END LOOP;
    RETURN jsonb_build_object('ended', true, 'alerts', alerts, 'overruns', overruns);
  END $$`;
