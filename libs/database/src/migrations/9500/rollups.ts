// The sums of all ended runs that are not pending, by hours and days of UTC. `runs` counts a run once, at the model
// that it was started with; tokens and money stand at the model that used them. Null = nothing of it is known.
export const USAGE_ROLLUPS = `
  CREATE TABLE usage_rollups (
    grain text COLLATE "C" NOT NULL CHECK (grain IN ('hour', 'day')),
    bucket timestamptz NOT NULL,
    project text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    model text COLLATE "C" NOT NULL,
    runs bigint NOT NULL,
    failed_runs bigint NOT NULL,
    unknown_cost_runs bigint NOT NULL,
    calls bigint NOT NULL,
    input_tokens bigint,
    output_tokens bigint,
    cache_read_tokens bigint,
    cache_write_5m_tokens bigint,
    cache_write_1h_tokens bigint,
    billed_nano bigint,
    notional_nano bigint,
    PRIMARY KEY (grain, bucket, project, key_id, model)
  ) PARTITION BY RANGE (bucket);
  CREATE INDEX usage_rollups_by_project ON usage_rollups (project, grain, bucket);
  CREATE TABLE usage_rollups_default PARTITION OF usage_rollups DEFAULT;
  DO $$
  BEGIN
    EXECUTE format('CREATE TABLE usage_rollups_first PARTITION OF usage_rollups FOR VALUES FROM (MINVALUE) TO (%L)',
                   (date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
  END $$`;

// Written in the transaction that ends a run, taken in the one that adds the run to its sums: at every moment a run
// is in exactly one of both, whatever clocks, crashes and slow transactions do.
export const USAGE_PENDING = `
  CREATE TABLE usage_pending (
    hour timestamptz NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (hour, run_id)
  );
  CREATE FUNCTION note_run_end() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO usage_pending (hour, run_id) VALUES (date_trunc('hour', NEW.started_at, 'UTC'), NEW.id);
    RETURN NULL;
  END $$;
  CREATE TRIGGER run_ended AFTER UPDATE OF outcome ON runs
    FOR EACH ROW WHEN (OLD.outcome IS NULL AND NEW.outcome IS NOT NULL) EXECUTE FUNCTION note_run_end();
  CREATE TRIGGER run_written AFTER INSERT ON runs
    FOR EACH ROW WHEN (NEW.outcome IS NOT NULL) EXECUTE FUNCTION note_run_end();
  INSERT INTO usage_pending SELECT date_trunc('hour', started_at, 'UTC'), id FROM runs WHERE outcome IS NOT NULL`;
