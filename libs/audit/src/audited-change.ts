/** A change that one call in the database makes, and whose events are written with it or not at all. */
export interface AuditedChange {
  /** SQL that makes the change and answers with jsonb, with parameters from `$1` on. */
  call: string;
  values: unknown[];
  /** SQL over that answer, which is called `said`: how many events tell of it. */
  events: string;
}

/** What happened without a change in the database. */
export const NO_CHANGE: AuditedChange = { call: `'{}'::jsonb`, values: [], events: '1' };

/** What the change answered, and how many events are to tell of it. */
export interface ChangeAnswer<T> {
  said: T;
  events: number;
}
