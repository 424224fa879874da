interface ById {
  table: string;
  /** Holds ids such as `run_019ab…`: a uuid v7 begins with its time, so a range of ids is a range of times. */
  column: string;
  prefix: string;
  key: string;
  every: 'day' | 'month';
}

/**
 * Makes a table one that is partitioned by its ids, with whatever columns it has by now. What is there becomes its
 * first partition. What fits in no other falls into the default one: a row is never refused because a month turned.
 */
export function partitionedById({ table, column, prefix, key, every }: ById): string {
  return `
  ALTER TABLE ${table} RENAME TO ${table}_first;
  ALTER TABLE ${table}_first DROP CONSTRAINT ${table}_pkey;
  CREATE TABLE ${table} (LIKE ${table}_first INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (${column});
  ALTER TABLE ${table} ADD PRIMARY KEY (${key});
  DO $$
  DECLARE
    newest timestamptz;
    until timestamptz;
  BEGIN
    -- Ids are of the clocks of processes, which may be ahead. Others than ours tell no time.
    SELECT greatest(now(), to_timestamp(('x0000' || substr(max(${column}), ${prefix.length + 2}, 12))::bit(64)::bigint / 1000.0))
      INTO newest FROM ${table}_first WHERE ${column} ~ '^${prefix}_0[0-9a-f]{31}$';
    until := (date_trunc('${every}', newest AT TIME ZONE 'UTC') + interval '1 ${every}') AT TIME ZONE 'UTC';
    EXECUTE format('ALTER TABLE ${table} ATTACH PARTITION ${table}_first FOR VALUES FROM (MINVALUE) TO (%L)',
                   '${prefix}_' || lpad(to_hex((extract(epoch FROM until) * 1000)::bigint), 12, '0'));
  END $$;
  CREATE TABLE ${table}_default PARTITION OF ${table} DEFAULT`;
}

/** The table as it was, with what it has now. */
export function wholeAgain(table: string, key: string): string {
  return `
  ALTER TABLE ${table} RENAME TO ${table}_partitioned;
  CREATE TABLE ${table} (LIKE ${table}_partitioned INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
  INSERT INTO ${table} SELECT * FROM ${table}_partitioned;
  DROP TABLE ${table}_partitioned;
  ALTER TABLE ${table} ADD PRIMARY KEY (${key})`;
}
